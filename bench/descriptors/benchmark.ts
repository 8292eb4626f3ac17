/**
 * Descriptors from one socket to another, one batch in flight, acknowledged, and closed by who receives them.
 *
 * In one process nothing but the calls is measured, in processor time: `fd-handoff/fd` never waits. Between two processes each side waits for
 * the other, in its own way, and a round trip is mostly the kernel's switching between them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark, BenchmarkOptions, Case, Preparation } from '../comparison/benchmark.ts';
import { compileC } from '../comparison/compiled.ts';
import { resolveFetched } from '../comparison/fetched-packages.ts';
import { Participants } from '../comparison/participants.ts';
import { outputOf } from '../comparison/program-output.ts';

/** What a control message can carry on Linux is 253; a batch of the channel is 64, so that 253 are four of them. */
const batches = [1, 16, 64, 253];
const quickBatches = [1, 64];

/** How long each loop runs, in milliseconds: thousands of round trips, and a slow moment of the machine is a small part. */
const duration = 500;
const quickDuration = 100;

function program(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** A contender that is the same program for every size. */
function loops(
  contender: string,
  clock: 'nanoseconds' | 'processor',
  sizes: readonly number[],
  run: (batch: number) => Promise<Record<string, number>>,
): Case[] {
  return sizes.map((size) => ({
    contender,
    size,
    measure: async () => {
      const { roundTrips = 0, [clock]: time = 1 } = await run(size);
      const perSecond = (roundTrips / time) * 1e9;
      return { roundTrips: perSecond, descriptors: perSecond * size, microseconds: 1e6 / perSecond };
    },
  }));
}

async function prepare({ quick, fetch }: BenchmarkOptions): Promise<Preparation> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-bench-'));
  const sizes = quick ? quickBatches : batches;
  const milliseconds = String(quick ? quickDuration : duration);
  const node = (name: string, batch: number, ...rest: string[]) =>
    outputOf(process.execPath, [program(name), String(batch), milliseconds, ...rest]);
  const participants = new Participants();
  for (const how of ['one', 'two'] as const) {
    const processes = how === 'one' ? 'one process' : 'two processes';
    const clock = how === 'one' ? 'processor' : 'nanoseconds';
    await participants.add(`C, ${processes}`, () => {
      const loop = compileC(program('loop.c'), folder);
      return loops(`C, ${processes}`, clock, sizes, (batch) => outputOf(loop, [how, String(batch), milliseconds]));
    });
    await participants.add(`Python send_fds, ${processes}`, async () => {
      await outputOf('python3', [program('loop.py'), how, '1', '1']);
      return loops(`Python send_fds, ${processes}`, clock, sizes, (batch) =>
        outputOf('python3', [program('loop.py'), how, String(batch), milliseconds]),
      );
    });
    if (how === 'one') {
      await participants.add('fd-handoff/fd', () =>
        loops('fd-handoff/fd', clock, sizes, (batch) => node('fd-loop.js', batch)),
      );
    }
  }
  await participants.add('fd-handoff/channel', () =>
    loops('fd-handoff/channel', 'nanoseconds', sizes, (batch) => node('channel-loop.js', batch)),
  );
  await participants.add('usocket', () => {
    const usocket = resolveFetched('usocket', fetch);
    return loops('usocket', 'nanoseconds', sizes, (batch) => node('usocket-loop.cjs', batch, usocket));
  });
  await participants.add('child.send', () =>
    loops('child.send', 'nanoseconds', sizes, (batch) => node('child-send-loop.js', batch)),
  );
  return {
    ...participants,
    close: async () => rmSync(folder, { recursive: true }),
  };
}

export const descriptors: Benchmark = {
  name: 'descriptors',
  title: 'Descriptors',
  sizeTitle: 'descriptors in a batch',
  metrics: [
    { name: 'descriptors', title: 'descriptors', unit: '/s' },
    { name: 'roundTrips', title: 'round trips', unit: '/s' },
    { name: 'microseconds', title: 'a round trip', unit: 'µs' },
  ],
  prepare,
};
