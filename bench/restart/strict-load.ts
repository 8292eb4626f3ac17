/** The load under which servers are replaced: strict clients in both modes, who retry nothing. */
import { LoadClient } from '../load-client.ts';
import type { PhaseReport, Report } from '../load-report.ts';

/** Clients that keep their connection, each with a random pause of at most `pause` milliseconds: about 10 000 requests/s. */
export const keepAliveClients = 100;
/** Clients that open a connection for every request. */
const newConnectionClients = 10;
const pause = 20;

/** How long the load runs before it counts, before the replacement, and at least after that has begun, in milliseconds. */
export interface Durations {
  readonly warmUp: number;
  readonly steady: number;
  readonly replacement: number;
}

const durations: Durations = { warmUp: 500, steady: 2000, replacement: 1000 };
const quickDurations: Durations = { warmUp: 200, steady: 500, replacement: 500 };

export function durationsOf(quick: boolean): Durations {
  return quick ? quickDurations : durations;
}

export interface Loads {
  /** Begins a phase of the reports. */
  mark(label: string): void;
  /** Calls `listener` for every answer to those who keep their connections, with how long it took, in milliseconds. */
  onAnswer(listener: (latency: number) => void): void;
  /** The reports: of those who keep their connections, and of those who open new ones. */
  stop(): Promise<[kept: Report, opened: Report]>;
}

/** Loads the server on that port from now on. What comes before the first mark does not count. */
export function startLoads(port: number): Loads {
  const common = {
    target: `http://127.0.0.1:${port}/`,
    loop: { kind: 'closed', pause },
    label: 'warm-up',
  } as const;
  const kept = new LoadClient({ ...common, clients: keepAliveClients });
  const opened = new LoadClient({ ...common, clients: newConnectionClients, mode: 'new-connection' });
  const loads = [kept, opened];
  for (const load of loads) load.start();
  return {
    mark: (label) => {
      for (const load of loads) load.mark(label);
    },
    onAnswer: (listener) => kept.on('answer', (_response, latency) => listener(latency)),
    stop: () => Promise.all([kept.stop(), opened.stop()]),
  };
}

export function phase(report: Report, label: string): PhaseReport {
  const found = report.phases.find((each) => each.label === label);
  if (found === undefined) throw new Error(`no phase "${label}"`);
  return found;
}
