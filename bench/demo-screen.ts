/** What the demo shows, as lines of text: functions of a model, which neither read a clock nor write anywhere. */
import { styleText } from 'node:util';
import { count, milliseconds } from './load-table.ts';
import type { GenerationState } from './server-process.ts';

export interface GenerationRow {
  readonly generation: number;
  readonly pid: number;
  readonly state: GenerationState;
  readonly requestsPerSecond: number;
  /** Answers since the start. */
  readonly requests: number;
}

export interface DemoModel {
  /** Who loads what. */
  readonly load: string;
  /** What is going on. */
  readonly phase: string;
  /** Milliseconds since the start. */
  readonly elapsed: number;
  readonly generations: readonly GenerationRow[];
  /** The rate at which a bar is full. */
  readonly fullRate: number;
  readonly failed: number;
  readonly closedAnnounced: number;
  readonly closedUnannounced: number;
  readonly p99: number;
  readonly longestGap: number;
  /** What the clients on WebSockets have seen. */
  readonly webSockets: { readonly messages: number; readonly lost: number; readonly closed: number };
}

export interface ScreenOptions {
  readonly columns: number;
  readonly colours: boolean;
}

type Colour = 'green' | 'yellow' | 'gray' | 'red' | 'bold';

const STATE_COLOURS: Readonly<Record<GenerationState, Colour>> = { serving: 'green', draining: 'yellow', gone: 'gray' };
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const LONGEST_BAR = 60;

/** Whether there are colours is the caller's to say: by itself styleText asks this process's own output. */
const STYLE_ALWAYS = { validateStream: false };

/** Cuts what does not fit: a line that wraps would spoil the redrawing in place. */
function cut(text: string, columns: number): string {
  if (text.length <= columns) return text;
  return columns > 0 ? `${text.slice(0, columns - 1)}…` : '';
}

/** A bar in steps of an eighth of a character. What is more than nothing is visible. */
function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const visible = share > 0 ? Math.max(1, eighths) : 0;
  return '█'.repeat(Math.floor(visible / 8)) + (EIGHTHS[visible % 8] ?? '');
}

export function seconds(elapsed: number): string {
  return `${(elapsed / 1000).toFixed(1)} s`;
}

/** The screen that is redrawn in place; no line is longer than the columns. */
export function screen(model: DemoModel, { columns, colours }: ScreenOptions): string[] {
  const colour = (format: Colour, text: string) =>
    colours && text !== '' ? styleText(format, text, STYLE_ALWAYS) : text;
  const time = seconds(model.elapsed).padStart(8);
  const room = columns - time.length;
  const phase = cut(model.phase, room).padEnd(room);
  const failures = cut(`failed ${count(model.failed)}`, columns);
  const closes = `connections closed ${count(model.closedAnnounced)} announced, ${count(model.closedUnannounced)} unannounced`;
  const rest = cut(`   ${closes}`, columns - failures.length);
  const times = `p99 ${milliseconds(model.p99)}   longest gap ${milliseconds(model.longestGap)}`;
  const { messages, lost, closed } = model.webSockets;
  const losses = cut(`lost ${count(lost)}`, columns);
  const others = cut(`   WebSockets closed ${count(closed)}, ${count(messages)} messages`, columns - losses.length);
  return [
    `${colour('bold', phase)}${cut(time, columns)}`,
    cut(model.load, columns),
    '',
    colour('gray', cut('generation      pid  state     requests/s    requests', columns)),
    ...model.generations.map((row) => generationLine(row, model.fullRate, columns, colour)),
    '',
    `${colour(model.failed === 0 ? 'green' : 'red', failures)}${rest}`,
    `${colour(lost + closed === 0 ? 'green' : 'red', losses)}${others}`,
    cut(times, columns),
  ];
}

function generationLine(
  row: GenerationRow,
  fullRate: number,
  columns: number,
  colour: (format: Colour, text: string) => string,
): string {
  const generation = String(row.generation).padStart(10);
  const pid = String(row.pid).padStart(9);
  const rate = count(row.requestsPerSecond).padStart(12);
  const numbers = `${generation}${pid}  ${row.state.padEnd(8)}${rate}${count(row.requests).padStart(12)}`;
  const width = Math.min(LONGEST_BAR, columns - numbers.length - 2);
  if (width <= 0) return colour(STATE_COLOURS[row.state], cut(numbers, columns));
  const share = fullRate === 0 ? 0 : row.requestsPerSecond / fullRate;
  const format = STATE_COLOURS[row.state];
  return `${colour(format, numbers)}  ${colour(format, bar(share, width))}`.trimEnd();
}

/** The same in one plain line, for where nothing can be redrawn. */
export function plainLine(model: DemoModel): string {
  const busy = model.generations.filter(({ requestsPerSecond }) => requestsPerSecond > 0);
  const rates = busy.map(({ generation, pid, requestsPerSecond }) => {
    return `generation ${generation} (pid ${pid}) ${count(requestsPerSecond)} requests/s`;
  });
  return eventLine(
    model.elapsed,
    [...rates, `failed ${count(model.failed)}`, `lost ${count(model.webSockets.lost)}`].join(', '),
  );
}

export function eventLine(elapsed: number, event: string): string {
  return `${seconds(elapsed).padStart(7)}  ${event}`;
}
