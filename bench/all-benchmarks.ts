import type { Benchmark } from './comparison/benchmark.ts';
import { calls, descriptors, oneProcessor } from './descriptors/benchmark.ts';
import { handoffPhases } from './handoff/benchmark.ts';
import { idle } from './idle/benchmark.ts';
import { moving } from './moving/benchmark.ts';
import { restart } from './restart/benchmark.ts';
import { slowRequests } from './restart/slow-requests.ts';

export const benchmarks: readonly Benchmark[] = [
  restart,
  slowRequests,
  handoffPhases,
  calls,
  descriptors,
  oneProcessor,
  moving,
  idle,
];
