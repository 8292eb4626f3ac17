import { expect, test } from 'vitest';
import { decide } from '../../../../lib/lifecycle/decision/decide.ts';
import type { State } from '../../../../lib/lifecycle/decision/state.ts';
import { answers, wants } from '../../../support/life-world.ts';
import { cells, stateTable } from '../../../support/state-table.ts';

test('docs/states.md tells what is decided, for every event in every state', async () => {
  await expect(stateTable()).toMatchFileSnapshot('../../../../docs/states.md');
  expect(cells).toBeGreaterThan(3_000);
});

test('nothing that is decided changes what it was decided on', () => {
  const state: State = Object.freeze({ is: 'serving', before: 'nobody', heir: false });
  for (const event of [...wants, ...answers]) decide(state, Object.freeze(event));
  expect(state).toEqual({ is: 'serving', before: 'nobody', heir: false });
});
