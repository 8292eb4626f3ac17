import { afterEach, beforeEach, expect, it } from 'vitest';
import { answerInquiries } from '../../../../lib/transaction/drains/drain-answers.ts';
import { DrainLine, drainsFeature } from '../../../../lib/transaction/drains/drain-line.ts';
import type { DrainingGeneration, HasteOrder } from '../../../../lib/transaction/drains/draining-generation.ts';
import { ChannelPair } from '../../../support/channel-pair.ts';
import { eventually } from '../../../support/eventually.ts';

const drainer = { pid: 11, generation: 2 };
const itself: DrainingGeneration = {
  ...drainer,
  since: '2026-01-01T00:00:00.000Z',
  until: null,
  waitsFor: { connections: 1, kinds: { websocket: 1 }, answers: [] },
};

let pair: ChannelPair;

beforeEach(() => {
  pair = new ChannelPair();
});

afterEach(() => pair[Symbol.dispose]());

function line(features: readonly string[] = [drainsFeature]): DrainLine {
  return new DrainLine(pair.receiving.control, drainer, features);
}

it('asks, each question by itself, and passes orders on', async () => {
  const orders: HasteOrder[] = [];
  let asked = 0;
  answerInquiries(pair.sending.control, {
    generations: async () => (++asked === 1 ? [itself] : []),
    hasten: (order) => orders.push(order),
  });
  const asking = line();
  expect(await Promise.all([asking.ask(5_000), asking.ask(5_000)])).toEqual([[itself], []]);
  asking.hasten({ pid: 11, timeout: 0 });
  asking.hasten({ pid: null, timeout: 30_000 });
  await eventually(() => orders.length === 2);
  expect(orders).toEqual([
    { pid: 11, timeout: 0 },
    { pid: null, timeout: 30_000 },
  ]);
});

it('one that does not answer is silent, and an answer that is late is for nobody', async () => {
  let answer = () => {};
  answerInquiries(pair.sending.control, {
    generations: () => new Promise((resolve) => (answer = () => resolve([itself]))),
    hasten: () => {},
  });
  const asking = line();
  expect(await asking.ask(20)).toEqual([{ ...drainer, since: null, until: null, waitsFor: 'silent' }]);
  answer();
  expect(await asking.ask(20)).toMatchObject([{ waitsFor: 'silent' }]);
});

it('an earlier version is not asked', async () => {
  expect(await line([]).ask(5_000)).toEqual([{ ...drainer, since: null, until: null, waitsFor: 'unasked' }]);
});

it('one that goes away while it is asked does not drain any more', async () => {
  const asking = line();
  const asked = asking.ask(5_000);
  pair.sending.control.destroy();
  expect(await asked).toEqual([]);
  await asking.gone;
});

it('an order that cannot be is an error of protocol', async () => {
  answerInquiries(pair.sending.control, { generations: async () => [], hasten: () => {} });
  pair.receiving.control.send('HASTEN', { pid: null, timeout: -1 });
  await pair.receiving.control.closed;
});
