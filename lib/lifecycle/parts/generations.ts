import { setTimeout as delay } from 'node:timers/promises';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { DrainLine } from '../../transaction/drains/drain-line.ts';
import type { DrainingGeneration, HasteOrder } from '../../transaction/drains/draining-generation.ts';
import type { Chosen } from '../../transaction/visits/hammer-answer.ts';

/**
 * How long one that is asked may take, in milliseconds. It answers in one or two, from memory; one that is stopped, or
 * blocks its event loop, must not keep a status waiting for long. Each in a chain has less than the one after it.
 */
const answerTimeout = 1_000;
const chainStep = 200;

/** How often one that was hammered is looked for, in milliseconds, and for how long: its `onClose` hooks have ten seconds. */
const lookInterval = 50;
const hammerLimit = 15_000;

/** The generations before this one that still drain: each has a line to this process, or to one that has. */
export class Generations {
  readonly #lines = new Set<DrainLine>();
  /** Those that have come by themselves, and not as this process's predecessor. */
  readonly #joined = new Set<DrainLine>();

  /** This process's predecessor, which drains from now on. */
  add(line: DrainLine): void {
    this.#lines.add(line);
    void line.gone.then(() => this.#lines.delete(line));
  }

  /** One whose own successor is gone, or has handed over itself. */
  join(line: DrainLine): void {
    this.add(line);
    this.#joined.add(line);
    void line.gone.then(() => this.#joined.delete(line));
  }

  /** Those that are known without asking. */
  get known(): DrainingGeneration[] {
    return sorted(
      [...this.#lines].map(({ drainer }) => ({ ...drainer, since: null, until: null, waitsFor: 'unasked' })),
    );
  }

  /** Asks all of them at once. One that can be reached by two ways is told of once, by the one that answers. */
  async ask(timeout = answerTimeout): Promise<DrainingGeneration[]> {
    const answers = await Promise.all([...this.#lines].map((line) => line.ask(timeout)));
    const found = new Map<number, DrainingGeneration>();
    for (const one of answers.flat()) {
      if (found.get(one.pid) === undefined || one.waitsFor !== 'silent') found.set(one.pid, one);
    }
    return sorted([...found.values()]);
  }

  /** The same for somebody after this process, who waits for it in turn. */
  askInChain(): Promise<DrainingGeneration[]> {
    return this.ask(answerTimeout - chainStep);
  }

  hasten(order: HasteOrder): void {
    for (const line of this.#lines) line.hasten(order);
  }

  /**
   * Ends one by force; resolves when it is gone.
   *
   * @throws ERR_HANDOFF_REFUSED where it is not clear which; ERR_HANDOFF_TIMEOUT where it does not end
   */
  async hammer(chosen: Chosen, onFound: (found: DrainingGeneration) => void): Promise<DrainingGeneration> {
    const all = await this.ask();
    const found = choose(all, chosen);
    onFound(found);
    this.hasten({ pid: found.pid, timeout: 0 });
    const until = performance.now() + hammerLimit;
    for (let last = found; ; ) {
      await delay(lookInterval);
      const now = (await this.ask()).find(({ pid }) => pid === found.pid);
      if (now === undefined) return found;
      if (now.waitsFor === 'silent' && last.waitsFor === 'silent') throw doesNotEnd(found, 'It does not answer');
      if (performance.now() > until) throw doesNotEnd(found, `It is there after ${hammerLimit} ms`);
      last = now;
    }
  }

  /** Resolves when those are gone that answer: one that is stopped is nobody to wait for. */
  async gone(): Promise<void> {
    const answering = await Promise.all(
      [...this.#lines].map(async (line) => {
        const [first] = await line.ask(answerTimeout);
        return first === undefined || first.waitsFor === 'silent' ? [] : [line];
      }),
    );
    await Promise.all(answering.flat().map((line) => line.gone));
  }

  /** Somebody else serves now: those that have come to the one who serves go there. */
  dismiss(): void {
    for (const line of this.#joined) line.hangUp();
  }
}

function sorted(generations: DrainingGeneration[]): DrainingGeneration[] {
  return generations.sort((one, other) => one.generation - other.generation || one.pid - other.pid);
}

function choose(all: readonly DrainingGeneration[], { pid, generation }: Chosen): DrainingGeneration {
  const fitting = all.filter(
    (one) => (pid ?? one.pid) === one.pid && (generation ?? one.generation) === one.generation,
  );
  const [found, another] = fitting;
  if (found !== undefined && another === undefined) return found;
  const listed = all.map((one) => `generation ${one.generation} (process ${one.pid})`).join(', ') || 'none';
  const meant = pid !== null ? `process ${pid}` : generation !== null ? `generation ${generation}` : 'one';
  throw new HandoffError(
    'ERR_HANDOFF_REFUSED',
    found === undefined
      ? `There is no ${meant} that drains; there is ${listed}.`
      : `It is not clear which one is meant: say its pid. There is ${listed}.`,
  );
}

function doesNotEnd({ pid, generation }: DrainingGeneration, why: string): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_TIMEOUT',
    `Generation ${generation} (process ${pid}) has not ended. ${why}: kill -KILL ${pid} ends it.`,
  );
}
