import type { Benchmark } from './comparison/benchmark.ts';
import { descriptors } from './descriptors/benchmark.ts';
import { handoffPhases } from './handoff/benchmark.ts';
import { idle } from './idle/benchmark.ts';
import { moving } from './moving/benchmark.ts';
import { restart } from './restart/benchmark.ts';

export const benchmarks: readonly Benchmark[] = [restart, handoffPhases, descriptors, moving, idle];
