import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Control } from '../../../lib/channel/control.ts';
import { features } from '../../../lib/transaction/hello.ts';
import { Reopenings, reopenFeature } from '../../../lib/transaction/reopenings.ts';
import { ChannelPair } from '../../support/channel-pair.ts';
import { eventually } from '../../support/eventually.ts';

const able = [reopenFeature];
const stack: Disposable[] = [];
let heard: string[];

beforeEach(() => {
  heard = [];
});

afterEach(() => {
  for (const one of stack.splice(0)) one[Symbol.dispose]();
});

function process(name: string): Reopenings {
  return new Reopenings((signal) => heard.push(`${name} ${signal}`));
}

function line(): [Control, Control] {
  const pair = new ChannelPair();
  stack.push(pair);
  return [pair.sending.control, pair.receiving.control];
}

function connect(one: Reopenings, other: Reopenings): [Control, Control] {
  const ends = line();
  one.join(ends[0], able);
  other.join(ends[1], able);
  return ends;
}

/** What was sent before arrives before. */
async function settled([from, to]: [Control, Control]): Promise<void> {
  const arrived = new Promise<void>((resolve) => to.on('STATUS', () => resolve()));
  from.send('STATUS', {});
  await arrived;
}

it('is a feature that this version has', () => {
  expect(features).toContain(reopenFeature);
});

it('goes through a chain, in both directions, from wherever it was said', async () => {
  const [first, second, third] = [process('first'), process('second'), process('third')];
  connect(first, second);
  connect(second, third);
  second.order('SIGUSR1');
  await eventually(() => heard.length === 3);
  first.order('SIGUSR2');
  await eventually(() => heard.length === 6);
  third.order('SIGUSR1');
  await eventually(() => heard.length === 9);
  expect(heard.slice(3, 6)).toEqual(['first SIGUSR2', 'second SIGUSR2', 'third SIGUSR2']);
});

it('comes once where lines lead round', async () => {
  const [first, second, third] = [process('first'), process('second'), process('third')];
  const lines = [connect(first, second), connect(second, third), connect(third, first)];
  first.order('SIGUSR1');
  await eventually(() => heard.length === 3);
  for (let round = 0; round < 2; round++) {
    for (const [one, other] of lines) {
      await settled([one, other]);
      await settled([other, one]);
    }
  }
  expect([...heard].sort()).toEqual(['first SIGUSR1', 'second SIGUSR1', 'third SIGUSR1']);
});

it('is told late to whoever was started before it was said, and not to others', async () => {
  const [first, second, third] = [process('first'), process('second'), process('third')];
  const { count } = first;
  first.order('SIGUSR1');
  const [one, other] = line();
  second.join(other, able);
  first.join(one, able, count);
  await eventually(() => heard.length === 2);
  const ends = line();
  third.join(ends[1], able);
  first.join(ends[0], able);
  await settled(ends);
  expect(heard).toEqual(['first SIGUSR1', 'second SIGUSR1']);
});

it('is not told to an earlier version, nor to whoever is gone', async () => {
  const first = process('first');
  const old = line();
  first.join(old[0], ['released']);
  let told = 0;
  old[1].on('REOPEN', () => told++);
  const gone = connect(first, process('second'));
  gone[1].destroy();
  await gone[0].closed;
  first.order('SIGUSR1');
  await settled(old);
  expect(told).toBe(0);
  expect(heard).toEqual(['first SIGUSR1']);
});

it('what is no signal is nothing, and what is malformed ends the connection', async () => {
  const ends = line();
  process('first').join(ends[0], able);
  ends[1].send('REOPEN', { id: 'one', signal: 'rm -rf' });
  ends[1].send('REOPEN', { id: 'two', signal: 'SIGUSR1' });
  await eventually(() => heard.length === 1);
  ends[1].send('REOPEN', { id: 3, signal: 'SIGUSR1' });
  await ends[0].closed;
  expect(heard).toEqual(['first SIGUSR1']);
});
