import { expect, it } from 'vitest';
import { Generations } from '../../../../lib/lifecycle/parts/generations.ts';
import type { DrainLine } from '../../../../lib/transaction/drains/drain-line.ts';
import type { DrainingGeneration, HasteOrder } from '../../../../lib/transaction/drains/draining-generation.ts';

const work = { connections: 1, kinds: { answer: 1 }, answers: [] };

function generation(pid: number, waitsFor: DrainingGeneration['waitsFor'] = work): DrainingGeneration {
  return { pid, generation: pid - 10, since: null, until: null, waitsFor };
}

/** A line whose other end says this, until it is told to end. */
class Line {
  readonly drainer;
  readonly orders: HasteOrder[] = [];
  hungUp = false;
  readonly #says: () => DrainingGeneration[];
  readonly #obeys: boolean;
  #go: () => void = () => {};
  readonly gone = new Promise<void>((resolve) => {
    this.#go = resolve;
  });

  constructor(pid: number, says: () => DrainingGeneration[] = () => [generation(pid)], obeys = true) {
    this.drainer = { pid, generation: pid - 10 };
    this.#says = says;
    this.#obeys = obeys;
  }

  async ask(): Promise<DrainingGeneration[]> {
    return this.#says();
  }

  hasten(order: HasteOrder): void {
    this.orders.push(order);
    if (this.#obeys && (order.pid ?? this.drainer.pid) === this.drainer.pid) this.#go();
  }

  hangUp(): void {
    this.hungUp = true;
    this.#go();
  }
}

function generations(...lines: Line[]): Generations {
  const all = new Generations();
  for (const line of lines) all.add(line as unknown as DrainLine);
  return all;
}

it('are told of in their order, each once, by whichever way is answered', async () => {
  const direct = new Line(11, () => [generation(11)]);
  const chain = new Line(12, () => [generation(12), generation(11, 'silent')]);
  const stopped = new Line(13, () => [generation(13, 'silent')]);
  const all = generations(stopped, chain, direct);
  expect(await all.ask()).toEqual([generation(11), generation(12), generation(13, 'silent')]);
  expect(all.known.map(({ pid, waitsFor }) => [pid, waitsFor])).toEqual([
    [11, 'unasked'],
    [12, 'unasked'],
    [13, 'unasked'],
  ]);
});

it('the one that is meant is hammered, and nobody else', async () => {
  const [one, other] = [new Line(11), new Line(12)];
  const all = generations(one, other);
  const found: number[] = [];
  expect(await all.hammer({ pid: null, generation: 2 }, ({ pid }) => found.push(pid))).toMatchObject({ pid: 12 });
  expect(found).toEqual([12]);
  expect(other.orders).toEqual([{ pid: 12, timeout: 0 }]);
  expect((await all.ask()).map(({ pid }) => pid)).toEqual([11]);
  expect(await all.hammer({ pid: null, generation: null }, () => {})).toMatchObject({ pid: 11 });
});

it.each([
  [{ pid: null, generation: null }, /not clear.*generation 1 \(process 11\), generation 2 \(process 12\)/],
  [{ pid: 99, generation: null }, /no process 99 that drains; there is generation 1/],
  [{ pid: 11, generation: 2 }, /no process 11 that drains/],
  [{ pid: null, generation: 9 }, /no generation 9/],
])('%j is refused', async (chosen, message) => {
  await expect(generations(new Line(11), new Line(12)).hammer(chosen, () => {})).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_HANDOFF_REFUSED', message: expect.stringMatching(message) }),
  );
});

it('one that does not answer does not end, and is said so', async () => {
  const stopped = new Line(11, () => [generation(11, 'silent')], false);
  await expect(generations(stopped).hammer({ pid: 11, generation: null }, () => {})).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_HANDOFF_TIMEOUT', message: expect.stringContaining('kill -KILL 11') }),
  );
});

it('those that answer are waited for', async () => {
  const [one, stopped] = [new Line(11), new Line(12, () => [generation(12, 'silent')], false)];
  const gone = generations(one, stopped).gone();
  one.hasten({ pid: null, timeout: 0 });
  await gone;
});

it('those that have come by themselves are sent to whoever serves now', async () => {
  const all = new Generations();
  const [predecessor, joined] = [new Line(11), new Line(12)];
  all.add(predecessor as unknown as DrainLine);
  all.join(joined as unknown as DrainLine);
  all.dismiss();
  expect([predecessor.hungUp, joined.hungUp]).toEqual([false, true]);
  await joined.gone;
  expect((await all.ask()).map(({ pid }) => pid)).toEqual([11]);
});
