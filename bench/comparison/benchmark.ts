/** What a benchmark is made of. Everything is measured by the same rounds: see rounds.ts. */

/** What one measurement gave, by the names of the benchmark's metrics. */
export type Measurement = Readonly<Record<string, number>>;

/** One contender at one size. */
export interface Case {
  readonly contender: string;
  /** What grows, as far as anything does: descriptors in a batch, connections, listeners, megabytes of state. */
  readonly size: number | null;
  measure(): Promise<Measurement>;
}

/** A contender that cannot take part on this machine. */
export interface Absence {
  readonly contender: string;
  readonly reason: string;
}

export interface Metric {
  readonly name: string;
  /** As a table says it. */
  readonly title: string;
  readonly unit: string;
}

/** What a benchmark has made ready for its rounds. */
export interface Preparation {
  readonly cases: readonly Case[];
  readonly absent: readonly Absence[];
  /** Ends what was started, and removes what was written. */
  close(): Promise<void>;
}

export interface BenchmarkOptions {
  /** Shorter and smaller: to see that everything works, not to compare. */
  readonly quick: boolean;
  /** Whether peers may be fetched that were not before; without that they are absent. */
  readonly fetch: boolean;
}

export interface Benchmark {
  readonly name: string;
  readonly title: string;
  /** What `size` counts; absent where nothing grows. */
  readonly sizeTitle?: string;
  readonly metrics: readonly Metric[];
  prepare(options: BenchmarkOptions): Promise<Preparation>;
}
