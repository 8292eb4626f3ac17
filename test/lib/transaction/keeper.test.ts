import { expect, it } from 'vitest';
import { keeperOf } from '../../../lib/transaction/keeper.ts';

it('a line of the manifest says who keeps the descriptor', () => {
  const keeper = { service: '/app.service', name: 'web' };
  expect(keeperOf({ name: 'web', kind: 'listener', keeper })).toEqual(keeper);
});

it.each([undefined, null, 'systemd', [], {}, { service: 1, name: 'web' }, { service: '/app.service' }])(
  'what a peer has put there instead is nobody: %j',
  (keeper) => {
    expect(keeperOf({ name: 'web', kind: 'listener', ...(keeper === undefined ? {} : { keeper }) })).toBeNull();
  },
);
