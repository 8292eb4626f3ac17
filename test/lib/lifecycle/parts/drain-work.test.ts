import { expect, it } from 'vitest';
import { drainWork } from '../../../../lib/lifecycle/parts/drain-work.ts';

it('counts the kinds, and names the oldest answers first, ten at most', () => {
  const now = performance.now();
  const answers = Array.from({ length: 12 }, (_, index) => ({
    kind: 'answer',
    path: `/${index}`,
    since: now - index * 1_000,
  }));
  const work = drainWork([...answers, { kind: 'websocket' }, { kind: 'websocket' }], 9);
  expect(work).toMatchObject({ connections: 9, kinds: { answer: 12, websocket: 2 } });
  expect(work.answers.map(({ path }) => path)).toEqual(['/11', '/10', '/9', '/8', '/7', '/6', '/5', '/4', '/3', '/2']);
  expect(work.answers[0]?.age).toBeGreaterThanOrEqual(11_000);
});

it('an endless path is cut, and one whose beginning is not known is new', () => {
  const [answer] = drainWork([{ kind: 'answer', path: `/${'a'.repeat(5_000)}` }], 1).answers;
  expect(answer).toMatchObject({ path: `/${'a'.repeat(199)}`, age: 0 });
});
