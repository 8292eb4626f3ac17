import { expect, it } from 'vitest';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import type { Inheritance } from '../../../lib/transaction/inheritance.ts';
import { JoinedInheritance } from '../../../lib/transaction/joined-inheritance.ts';
import type { Inherited } from '../../../lib/transaction/manifest.ts';

function inheritance(generation: number, names: string[]): Inheritance {
  const held = new Map(names.map((name): [string, Inherited] => [name, inherited(name)]));
  return {
    rehearsed: false,
    generation,
    predecessor: generation === 0 ? null : { pid: 1, generation: generation - 1 },
    get unclaimed() {
      return [...held.values()].map(({ entry }) => entry);
    },
    take(name) {
      const found = held.get(name) ?? null;
      held.delete(name);
      return found;
    },
    putBack: (inherited) => void held.set(inherited.entry.name, inherited),
    borrow: (name) => (held.has(name) ? generation : null),
    state: (name) => (names.includes(name) ? { name, late: false, value: generation } : null),
  };
}

function inherited(name: string): Inherited {
  const descriptor = new OwnedFd(0);
  descriptor.release();
  return { entry: { name, kind: 'listener' }, descriptor };
}

it('the first is the predecessor, and what it lacks comes from the second', () => {
  const joined = new JoinedInheritance(inheritance(3, ['web']), inheritance(0, ['admin']));
  expect(joined).toMatchObject({ generation: 3, predecessor: { generation: 2 } });
  expect(joined.unclaimed.map(({ name }) => name)).toEqual(['web', 'admin']);
  expect(joined.state('web')).toMatchObject({ value: 3 });
  expect(joined.state('admin')).toMatchObject({ value: 0 });
  expect(joined.state('other')).toBeNull();
  const second = inheritance(0, ['admin']);
  const first = inheritance(3, ['web']);
  const again = new JoinedInheritance(first, second);
  for (const [name, from] of [
    ['web', first],
    ['admin', second],
  ] as const) {
    const taken = again.take(name) as Inherited;
    expect(again.borrow(name)).toBeNull();
    again.putBack(taken);
    expect(from.unclaimed.map((entry) => entry.name)).toEqual([name]);
    expect(again.borrow(name)).toBe(from.generation);
  }
  expect(joined.take('web')?.entry.name).toBe('web');
  expect(joined.take('admin')?.entry.name).toBe('admin');
  expect(joined.take('admin')).toBeNull();
  expect(joined.unclaimed).toEqual([]);
});
