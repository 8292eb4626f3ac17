/** What a load client has seen: tallies that are cheap to write, and reports, plain data, made from them. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { type CloseManner, FAILURE_KINDS, type FailureKind } from './client-connection.ts';

export type FailureCounts = Readonly<Record<FailureKind, number>>;

/** Latencies of the answers that were as expected, in milliseconds; all 0 if there was none. */
export interface LatencyReport {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** One phase of a load, or all of them together. Times are in milliseconds. */
export interface PhaseReport {
  readonly label: string;
  readonly duration: number;
  /** Requests whose outcome fell in this phase: answered as expected, or failed. */
  readonly requests: number;
  /**
   * Everything that failed. At most as many as `requests`, unless bytes came on an idle connection: these count as
   * malformed, and belong to no request.
   */
  readonly failed: number;
  readonly failures: FailureCounts;
  readonly connections: {
    readonly opened: number;
    /** Closed by the server while idle, as its last answer had said. */
    readonly closedAnnounced: number;
    /** Closed by the server while idle, without a word. A close with a request under way is a failure instead. */
    readonly closedUnannounced: number;
  };
  readonly latency: LatencyReport;
  /**
   * The longest time without an expected answer to any client. A gap that a phase inherits counts whole. Of several
   * loads the longest of each one's: what the clients of one had to endure is not hidden by the answers to another's.
   */
  readonly longestGap: number;
  /** Expected answers by the process that gave them. */
  readonly servedBy: Readonly<Record<string, number>>;
}

export interface FailureExample {
  /** Milliseconds from the start of the load. */
  readonly at: number;
  readonly phase: string;
  readonly kind: FailureKind;
  readonly message: string;
  /** Absent if there was no connection, or it was on a Unix socket. */
  readonly localPort?: number;
}

export interface Report {
  readonly title: string;
  readonly total: PhaseReport;
  readonly phases: readonly PhaseReport[];
  /** Requests that have been sent and have no outcome yet. */
  readonly inFlight: number;
  /** Fixed rate only: requests whose time has come but for which no client was free. Not in any other number. */
  readonly overdue: number;
  /** The first few failures. */
  readonly examples: readonly FailureExample[];
}

/** Two minutes in microseconds. What takes longer is recorded as this; the maximum is kept exactly beside it. */
const HIGHEST_LATENCY = 120_000_000;

function newHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: HIGHEST_LATENCY, figures: 3 });
}

function noFailures(): Record<FailureKind, number> {
  return Object.fromEntries(FAILURE_KINDS.map((kind) => [kind, 0])) as Record<FailureKind, number>;
}

/** Counts one phase. All times are those of `performance.now()`. */
export class PhaseTally {
  readonly label: string;
  readonly #startedAt: number;
  #endedAt: number | undefined;
  #lastAnswerAt: number;
  #answered = 0;
  #failedRequests = 0;
  #opened = 0;
  #longestGap = 0;
  #longestLatency = 0;
  readonly #closed: Record<CloseManner, number> = { announced: 0, unannounced: 0 };
  readonly #failures = noFailures();
  readonly #servedBy = new Map<string, number>();
  readonly #latencies = newHistogram();

  /** `lastAnswerAt`: of the phase before, so that a gap across the border is seen whole. */
  constructor(label: string, startedAt: number, lastAnswerAt = startedAt) {
    this.label = label;
    this.#startedAt = startedAt;
    this.#lastAnswerAt = lastAnswerAt;
  }

  answered(at: number, latency: number, server: string): void {
    this.#answered++;
    // The histogram takes whole numbers from 1 on: microseconds are fine enough.
    this.#latencies.record(Math.min(HIGHEST_LATENCY, Math.max(1, Math.round(latency * 1000))));
    if (latency > this.#longestLatency) this.#longestLatency = latency;
    const gap = at - this.#lastAnswerAt;
    if (gap > this.#longestGap) this.#longestGap = gap;
    this.#lastAnswerAt = at;
    this.#servedBy.set(server, (this.#servedBy.get(server) ?? 0) + 1);
  }

  failedRequest(kind: FailureKind): void {
    this.#failedRequests++;
    this.#failures[kind]++;
  }

  /** A failure that belongs to no request. */
  unsolicited(kind: FailureKind): void {
    this.#failures[kind]++;
  }

  opened(): void {
    this.#opened++;
  }

  closed(manner: CloseManner): void {
    this.#closed[manner]++;
  }

  /** Ends this phase and returns the next one. */
  next(label: string, at: number): PhaseTally {
    this.end(at);
    return new PhaseTally(label, at, this.#lastAnswerAt);
  }

  /** Ends this phase; answers to what was in flight may still be added. */
  end(at: number): void {
    this.#longestGap = this.#gap(at);
    this.#endedAt = at;
  }

  /** Several tallies as one phase: those of one load one after the other, or those of several loads side by side. */
  static report(label: string, tallies: readonly PhaseTally[], now: number): PhaseReport {
    const latencies = newHistogram();
    const failures = noFailures();
    const servedBy: Record<string, number> = {};
    let answered = 0;
    let failedRequests = 0;
    let opened = 0;
    let closedAnnounced = 0;
    let closedUnannounced = 0;
    let longestGap = 0;
    let longestLatency = 0;
    let startedAt = Number.POSITIVE_INFINITY;
    let endedAt = Number.NEGATIVE_INFINITY;
    for (const tally of tallies) {
      latencies.add(tally.#latencies);
      answered += tally.#answered;
      failedRequests += tally.#failedRequests;
      opened += tally.#opened;
      closedAnnounced += tally.#closed.announced;
      closedUnannounced += tally.#closed.unannounced;
      longestGap = Math.max(longestGap, tally.#gap(now));
      longestLatency = Math.max(longestLatency, tally.#longestLatency);
      startedAt = Math.min(startedAt, tally.#startedAt);
      endedAt = Math.max(endedAt, tally.#endedAt ?? now);
      for (const kind of FAILURE_KINDS) failures[kind] += tally.#failures[kind];
      for (const [server, count] of tally.#servedBy) servedBy[server] = (servedBy[server] ?? 0) + count;
    }
    // A histogram rounds up within its precision; nothing may be said to have taken longer than the longest.
    const percentile = (percent: number) =>
      answered === 0 ? 0 : Math.min(latencies.percentile(percent) / 1000, longestLatency);
    return {
      label,
      duration: tallies.length === 0 ? 0 : endedAt - startedAt,
      requests: answered + failedRequests,
      failed: FAILURE_KINDS.reduce((sum, kind) => sum + failures[kind], 0),
      failures,
      connections: { opened, closedAnnounced, closedUnannounced },
      latency: { p50: percentile(50), p90: percentile(90), p99: percentile(99), max: longestLatency },
      longestGap,
      servedBy,
    };
  }

  /** The longest gap, with the one that is still open at `now` or at the end. */
  #gap(now: number): number {
    return Math.max(this.#longestGap, (this.#endedAt ?? now) - this.#lastAnswerAt);
  }
}
