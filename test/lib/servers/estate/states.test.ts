import { expect, it } from 'vitest';
import { States } from '../../../../lib/servers/estate/states.ts';
import type { SavedState, StateValue } from '../../../../lib/transaction/state.ts';

/** What a predecessor has saved, as much of an inheritance as states need. */
const inheriting = (saved: readonly SavedState[]) =>
  ({ state: (name: string) => saved.find((state) => state.name === name) ?? null }) as never;

const keep = (kept: StateValue[]) => ({ save: () => 1, restore: (value: StateValue) => void kept.push(value) });

it('restores what the predecessor saved, under the name that it had there', async () => {
  const kept: StateValue[] = [];
  const states = new States(inheriting([{ name: 'old', late: false, value: 7 }]));
  expect(await states.register('new', keep(kept), 'old')).toBe(true);
  expect(await states.register('other', keep(kept), 'other')).toBe(false);
  expect(kept).toEqual([7]);
});

it('saves the early ones and the late ones apart, each once', async () => {
  const states = new States(null);
  await states.register('early', keep([]), 'early');
  await states.register('late', { ...keep([]), late: true }, 'late');
  expect(states.entries).toEqual([
    { name: 'early', late: false },
    { name: 'late', late: true },
  ]);
  expect((await states.save('early')).map(({ name }) => name)).toEqual(['early']);
  expect((await states.save('late')).map(({ name }) => name)).toEqual(['late']);
});

it('tells of the application’s own alone, refuses a second one of a name, and forgets', async () => {
  const states = new States(null);
  await states.register('@tls web', keep([]), '@tls web');
  await states.register('cache', keep([]), 'cache');
  expect(states.names).toEqual(['cache']);
  await expect(states.register('cache', keep([]), 'cache')).rejects.toMatchObject({
    code: 'ERR_HANDOFF_ALREADY_OWNED',
  });
  states.forget('@tls web');
  expect(states.size).toBe(1);
});

it('drops a late value that nobody has use for', async () => {
  await expect(new States(null).restoreLate({ name: 'gone', late: true, value: 1 })).resolves.toBeUndefined();
});
