import type { Benchmark } from './comparison/benchmark.ts';
import { descriptors } from './descriptors/benchmark.ts';
import { handoffPhases } from './handoff/benchmark.ts';
import { idle } from './idle/benchmark.ts';
import { moving } from './moving/benchmark.ts';
import { restart } from './restart/benchmark.ts';
import { slowRequests } from './restart/slow-requests.ts';

export const benchmarks: readonly Benchmark[] = [restart, slowRequests, handoffPhases, descriptors, moving, idle];
