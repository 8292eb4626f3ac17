/**
 * Descriptors from one socket to another, one batch in flight, acknowledged, and closed by who receives them.
 *
 * In one process nothing but the calls is measured, in processor time: `fd-handoff/fd` never waits. Between two processes
 * each side waits for the other, in its own way, and a round trip is mostly the kernel's switching between them: the waking
 * of a processor that has nothing to do. Where both are on one processor, which has always something to do, it is the work.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Benchmark } from '../comparison/benchmark.ts';
import { type Command, Loops, metrics } from './loops.ts';

const anywhere = (command: Command) => command;

export const calls: Benchmark = {
  name: 'calls',
  title: 'Descriptors in one process',
  sizeTitle: 'descriptors in a batch',
  metrics,
  async prepare(options) {
    const loops = new Loops({ ...options, clock: 'processor', placed: anywhere });
    await loops.addForeign('one');
    await loops.addFd();
    return loops.preparation;
  },
};

export const descriptors: Benchmark = {
  name: 'descriptors',
  title: 'Descriptors between two processes',
  sizeTitle: 'descriptors in a batch',
  metrics,
  async prepare(options) {
    const loops = new Loops({ ...options, clock: 'nanoseconds', placed: anywhere });
    await loops.addForeign('two');
    await loops.addChannels();
    return loops.preparation;
  },
};

/** What puts a command on the first processor that this process may use. Throws where there is nothing that could. */
function taskset(): Command {
  const status = readFileSync('/proc/self/status', 'latin1');
  const processor = /^Cpus_allowed_list:\s*(\d+)/m.exec(status)?.[1] ?? '0';
  execFileSync('taskset', ['-c', processor, 'true']);
  return ['taskset', '-c', processor];
}

export const oneProcessor: Benchmark = {
  name: 'one-processor',
  title: 'Descriptors between two processes on one processor',
  sizeTitle: 'descriptors in a batch',
  metrics,
  async prepare(options) {
    let prefix: Command;
    try {
      prefix = taskset();
    } catch (error) {
      const reason = `nobody can be put on one processor here: ${(error as Error).message}`;
      return { cases: [], absent: [{ contender: 'everybody', reason }], close: async () => {} };
    }
    const loops = new Loops({ ...options, clock: 'nanoseconds', placed: (command) => [...prefix, ...command] });
    await loops.addForeign('two');
    await loops.addChannels();
    return loops.preparation;
  },
};
