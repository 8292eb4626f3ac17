import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { PhaseName } from '../../../../lib/lifecycle/decision/state.ts';
import { causeOf, transitions } from '../../../../lib/lifecycle/decision/transitions.ts';

const protocol = readFileSync(new URL('../../../../docs/protocol.md', import.meta.url), 'utf8');

/** The transitions of the first state diagram of the page, those from and to nowhere left out. */
function drawn(): string[] {
  const diagram = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(protocol)?.[1] ?? '';
  const edges = [...diagram.matchAll(/^\s*(\w+) --> (\w+):/gm)].map(([, from, to]) => `${from} ${to}`);
  return [...new Set(edges.map((edge) => edge.replaceAll('_', '-')))].sort();
}

function coded(): string[] {
  return Object.entries(transitions)
    .flatMap(([from, targets]) => Object.keys(targets).map((to) => `${from} ${to}`))
    .sort();
}

test('the diagram in docs/protocol.md and the code have the same transitions', () => {
  expect(drawn()).toEqual(coded());
});

test('every phase can be reached, and can be left unless it is the last', () => {
  const reached = new Set(Object.values(transitions).flatMap((targets) => Object.keys(targets)));
  for (const [phase, targets] of Object.entries(transitions)) {
    expect(phase === 'starting' || reached.has(phase)).toBe(true);
    expect(Object.keys(targets).length > 0).toBe(phase !== 'left');
  }
});

test('a transition that is in no design is an error that names both ends', () => {
  const phases = Object.keys(transitions) as PhaseName[];
  for (const from of phases) {
    for (const to of phases) {
      if (transitions[from][to] === undefined) expect(() => causeOf(from, to)).toThrow(`${from} cannot become ${to}`);
      else expect(causeOf(from, to)).not.toBe('');
    }
  }
});
