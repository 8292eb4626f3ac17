/** Those who send descriptors, each a loop of round trips in a program of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchmarkOptions, Case, Measurement, Metric, Preparation } from '../comparison/benchmark.ts';
import { compileC } from '../comparison/compiled.ts';
import { Participants } from '../comparison/participants.ts';
import { outputOf } from '../comparison/program-output.ts';
import { benchPackages } from '../fetched-packages.ts';

/** What a control message can carry on Linux is 253; a batch of the channel is 64, so that 253 are four of them. */
export const batches = [1, 16, 64, 253];
const quickBatches = [1, 64];

/** How long each loop runs, in milliseconds: thousands of round trips, and a slow moment of the machine is a small part. */
const duration = 500;
const quickDuration = 100;

export const metrics: readonly Metric[] = [
  { name: 'descriptors', title: 'descriptors', unit: '/s' },
  { name: 'roundTrips', title: 'round trips', unit: '/s' },
  { name: 'microseconds', title: 'a round trip', unit: 'µs' },
];

function program(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** A command and its arguments, as it is to be started. */
export type Command = readonly [command: string, ...commandArguments: string[]];

interface LoopsOptions extends BenchmarkOptions {
  /** By what the time is told: of a loop that never waits, its own is. */
  readonly clock: 'nanoseconds' | 'processor';
  /** Puts the loops where they are to run. */
  readonly placed: (command: Command) => Command;
}

/** The contenders of one benchmark. */
export class Loops {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fd-handoff-bench-'));
  readonly #participants = new Participants();
  readonly #options: LoopsOptions;
  readonly #milliseconds: string;

  constructor(options: LoopsOptions) {
    this.#options = options;
    this.#milliseconds = String(options.quick ? quickDuration : duration);
  }

  /** `loop.c` and `loop.py`, which run in one process or in two. */
  async addForeign(how: 'one' | 'two'): Promise<void> {
    const processes = how === 'one' ? 'one process' : 'two processes';
    await this.#add(`C, ${processes}`, () => {
      const loop = compileC(program('loop.c'), this.#folder);
      return (batch) => [loop, how, batch, this.#milliseconds];
    });
    await this.#add(`Python send_fds, ${processes}`, async () => {
      await outputOf('python3', [program('loop.py'), how, '1', '1']);
      return (batch) => ['python3', program('loop.py'), how, batch, this.#milliseconds];
    });
  }

  async addFd(): Promise<void> {
    await this.#add('fd-handoff/fd', () => (batch) => this.#node('fd-loop.js', batch));
  }

  /** Those that are two processes of Node. */
  async addChannels(): Promise<void> {
    await this.#add('fd-handoff/channel', () => (batch) => this.#node('channel-loop.js', batch));
    await this.#add('usocket', () => {
      const usocket = benchPackages.resolve('usocket', this.#options.fetch);
      return (batch) => [...this.#node('usocket-loop.cjs', batch), usocket];
    });
    await this.#add('child.send', () => (batch) => this.#node('child-send-loop.js', batch));
    await this.#participants.add('net.Socket, one byte', () => {
      const command: Command = [process.execPath, program('socket-loop.js'), this.#milliseconds];
      return [{ contender: 'net.Socket, one byte', size: 1, measure: () => this.#measure(command, 0) }];
    });
  }

  get preparation(): Preparation {
    const { cases, absent } = this.#participants;
    return { cases, absent, close: async () => rmSync(this.#folder, { recursive: true }) };
  }

  #node(name: string, batch: string): Command {
    return [process.execPath, program(name), batch, this.#milliseconds];
  }

  /** @param make resolves with the command for a batch of so many; throws where this machine does not have it */
  async #add(contender: string, make: () => Maker | Promise<Maker>): Promise<void> {
    await this.#participants.add(contender, async () => {
      const command = await make();
      const sizes = this.#options.quick ? quickBatches : batches;
      return sizes.map((size): Case => {
        return { contender, size, measure: () => this.#measure(command(String(size)), size) };
      });
    });
  }

  async #measure(command: Command, batch: number): Promise<Measurement> {
    const { clock, placed } = this.#options;
    const [name, ...commandArguments] = placed(command);
    const { roundTrips = 0, [clock]: time = 1 } = await outputOf(name, commandArguments);
    const perSecond = (roundTrips / time) * 1e9;
    const descriptors = batch > 0 ? { descriptors: perSecond * batch } : {};
    return { ...descriptors, roundTrips: perSecond, microseconds: 1e6 / perSecond };
  }
}

type Maker = (batch: string) => Command;
