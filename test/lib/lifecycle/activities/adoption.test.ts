import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { socketPair } from '../../../../lib/fd/socket.ts';
import { adopt, adoptAll } from '../../../../lib/lifecycle/activities/adoption.ts';
import type { Arriving } from '../../../../lib/transaction/connection-transfer.ts';
import { LivingParts } from '../../../support/living-parts.ts';

let living: LivingParts;
let adopted: Socket[];
let theirs: OwnedFd[];

beforeEach(() => {
  living = new LivingParts({ is: 'serving', before: 'nobody', heir: false });
  adopted = [];
  theirs = [];
  living.parts.estate.moved.adopter('chat', (socket) => void adopted.push(socket));
});
afterEach(() => {
  for (const socket of adopted) socket.destroy();
  for (const one of theirs) one.close();
  living[Symbol.dispose]();
});

function arriving(route: string): Arriving {
  const [ours, other] = socketPair();
  theirs.push(new OwnedFd(other, 'the other end of a connection'));
  return { route, descriptor: new OwnedFd(ours, `a connection of "${route}"`), head: Buffer.alloc(0), data: null };
}

it('a connection is served where this version has its route, and refused where it has not', () => {
  expect(adopt(living.parts, arriving('chat'))).toBe(true);
  expect(adopted).toHaveLength(1);
  const other = arriving('games');
  expect(adopt(living.parts, other)).toBe(false);
  // It goes on where it was: that it is closed here is for whoever has it.
  expect(other.descriptor.closed).toBe(false);
  other.descriptor.close();
});

it('of those that nobody else has, what cannot be served is closed', () => {
  const [known, unknown] = [arriving('chat'), arriving('games')];
  adoptAll(living.parts, [unknown, known]);
  expect([adopted.length, unknown.descriptor.closed]).toEqual([1, true]);
});

it('an adopter that throws is reported, and has refused it', () => {
  const failure = new Error('the room is full');
  living.parts.estate.moved.adopter('full', () => {
    throw failure;
  });
  const connection = arriving('full');
  expect(adopt(living.parts, connection)).toBe(false);
  expect(living.reported).toEqual([failure]);
  connection.descriptor.close();
});
