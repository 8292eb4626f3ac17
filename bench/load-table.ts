/** Reports as tables for people. */
import Table from 'cli-table3';
import { FAILURE_KINDS } from './client-connection.ts';
import type { FailureExample, PhaseReport } from './load-report.ts';
import type { WebSocketPhase } from './websocket-load.ts';

/** 12345 as 12,345, the same in every locale: tables are compared. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Tenths of a millisecond where they matter. */
function short(value: number): string {
  return value < 100 ? value.toFixed(1) : count(value);
}

export function milliseconds(value: number): string {
  return `${short(value)} ms`;
}

/** Where no answer came there is no latency, which is not the same as none of it. */
function latency(phase: PhaseReport, value: number): string {
  return phase.latency.max === 0 ? '–' : short(value);
}

/** Columns two spaces apart and a rule below their titles. Plain text: cli-table3 adds colours by itself otherwise. */
export function plainTable(head: string[], rows: string[][]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', left: '', right: '', 'left-mid': '' };
  const noneBelow = { 'right-mid': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' };
  const table = new Table({
    head,
    chars: { ...none, ...noneBelow, mid: '─', 'mid-mid': '──', middle: '  ' },
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, index) => (index === 0 ? 'left' : 'right')),
  });
  table.push(...rows);
  return table.toString();
}

/** One row for each phase: what clients saw of it. `first` is the title of the column with the labels. */
export function phaseTable(first: string, phases: readonly PhaseReport[]): string {
  // The titles are on several lines so that the table fits 80 columns.
  return plainTable(
    [first, 'requests', 'failed', 'closed\nannounced', 'closed\nun-\nannounced', 'p50\nms', 'p99\nms', 'max\ngap\nms'],
    phases.map((phase) => [
      phase.label,
      count(phase.requests),
      count(phase.failed),
      count(phase.connections.closedAnnounced),
      count(phase.connections.closedUnannounced),
      latency(phase, phase.latency.p50),
      latency(phase, phase.latency.p99),
      short(phase.longestGap),
    ]),
  );
}

/** One row for each phase: what the clients on WebSockets saw of it. */
export function webSocketTable(first: string, phases: readonly WebSocketPhase[]): string {
  return plainTable(
    [first, 'messages', 'lost', 'closed'],
    phases.map(({ label, messages, lost, closed }) => [label, count(messages), count(lost), count(closed)]),
  );
}

/** One row for each load: what its clients saw, how much and how fast. */
export function loadTable(loads: readonly PhaseReport[]): string {
  const head = ['clients', 'requests', 'per\nsecond', 'failed', 'closed\nannounced', 'closed\nun-\nannounced'];
  return plainTable(
    [...head, 'p50\nms', 'p90\nms', 'p99\nms', 'max\nms', 'max\ngap\nms'],
    loads.map((load) => [
      load.label,
      count(load.requests),
      count(load.duration === 0 ? 0 : (load.requests / load.duration) * 1000),
      count(load.failed),
      count(load.connections.closedAnnounced),
      count(load.connections.closedUnannounced),
      latency(load, load.latency.p50),
      latency(load, load.latency.p90),
      latency(load, load.latency.p99),
      latency(load, load.latency.max),
      short(load.longestGap),
    ]),
  );
}

/** Which processes answered, the busiest first. */
export function serverTable(servedBy: Readonly<Record<string, number>>): string {
  const rows = Object.entries(servedBy).sort(([, one], [, other]) => other - one);
  return plainTable(
    ['served by', 'requests'],
    rows.map(([server, requests]) => [server, count(requests)]),
  );
}

/** How often each kind failed, and the first examples; no line if nothing did. */
export function failureLines(total: PhaseReport, examples: readonly FailureExample[]): string[] {
  if (total.failed === 0) return [];
  const kinds = FAILURE_KINDS.filter((kind) => total.failures[kind] > 0);
  return [
    `failed: ${kinds.map((kind) => `${count(total.failures[kind])} ${kind}`).join(', ')}`,
    ...examples.map(({ at, phase, kind, message, localPort }) => {
      const port = localPort === undefined ? '' : `, local port ${localPort}`;
      return `  at ${count(at)} ms (${phase}): ${kind}: ${message}${port}`;
    }),
    ...(total.failed > examples.length ? [`  and ${count(total.failed - examples.length)} more`] : []),
  ];
}
