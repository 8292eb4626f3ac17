/**
 * The strict load client: it counts as failed whatever a client can see fail, and forgives and retries nothing.
 *
 * ```ts
 * const load = new LoadClient({ target: 'http://127.0.0.1:8080/', clients: 100, loop: { kind: 'closed', pause: 20 } });
 * load.start();
 * load.mark('first replacement');
 * const report = await load.stop();
 * ```
 */
import { EventEmitter } from 'node:events';
import {
  type Address,
  ClientConnection,
  type CloseManner,
  type ConnectionOptions,
  type ConnectionOwner,
  type Failure,
} from './client-connection.ts';
import { type FailureExample, PhaseTally, type Report } from './load-report.ts';
import type { Response } from './response-parser.ts';

export type { CloseManner, Failure, FailureKind } from './client-connection.ts';
export type { FailureExample, PhaseReport, Report } from './load-report.ts';
export type { Response } from './response-parser.ts';

/**
 * When the next request is sent.
 *
 * `closed`: each client sends its next one after a random pause of at most `pause` milliseconds after the outcome of the
 * one before. Latency counts from sending.
 *
 * `fixed-rate`: requests are due at fixed times, and the next free client sends the oldest one that is due. Latency
 * counts from when it was due, so that waiting for a slow server is part of it, as is the timer's grain of 1 ms.
 */
export type Loop =
  | { readonly kind: 'closed'; readonly pause: number }
  | { readonly kind: 'fixed-rate'; readonly requestsPerSecond: number };

/** Whether a client keeps its connection until the server closes it, or opens one for each request. */
export type ConnectionMode = 'keep-alive' | 'new-connection';

export interface LoadOptions {
  /** `http://host:port/path`, or `unix:/path/to/socket`. A host name is looked up for each connection: prefer addresses. */
  readonly target: string;
  /** For reports. Default: clients and mode in words. */
  readonly title?: string;
  /** How many clients, each with one request at a time. Default 1. */
  readonly clients?: number;
  /** Default `keep-alive`. */
  readonly mode?: ConnectionMode;
  /** Default: a closed loop without a pause. */
  readonly loop?: Loop;
  /** The request's path. Default: that of the target, or `/`. */
  readonly path?: string;
  /** Default `GET`. */
  readonly method?: string;
  /** Beside Host, and Connection in the mode `new-connection`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds from sending to the complete answer, connecting included. Default 10 000. */
  readonly timeout?: number;
  /** Which statuses are expected. Default: 200 to 299. */
  readonly expects?: (status: number) => boolean;
  /** The answer's header that names the process that gave it. Default `x-served-by`. */
  readonly servedByHeader?: string;
  /** Names the process where the header is missing, for example from the body. Bodies are kept only if this is there. */
  readonly identify?: (response: Response) => string | undefined;
  /** Send so many requests, then emit `finished`. Default: no limit. */
  readonly requests?: number;
  /** The first phase's label. Default `start`. */
  readonly label?: string;
}

interface LoadEvents {
  /** An expected answer, and how long it took, in milliseconds. */
  answer: [response: Response, latency: number];
  failure: [example: FailureExample];
  /** The server closed an idle connection, or one whose answer is complete. */
  closed: [manner: CloseManner];
  /** The last of the limited number of requests has its outcome. */
  finished: [];
}

/** Failures of one kind beyond these are counted, not described. */
const EXAMPLES_OF_A_KIND = 5;

const UNKNOWN_SERVER = 'unknown';

/** One client: it has at most one request under way. */
type ClientState =
  | { readonly kind: 'free' }
  | { readonly kind: 'pausing'; readonly timer: NodeJS.Timeout }
  | {
      readonly kind: 'waiting';
      readonly connection: ClientConnection;
      /** Where its latency counts from: when it was sent, or when it was due. */
      readonly since: number;
      readonly sentAt: number;
    };

const FREE: ClientState = { kind: 'free' };

type LoadState =
  | { readonly kind: 'new' }
  | { readonly kind: 'running'; readonly startedAt: number; readonly timers: readonly NodeJS.Timeout[] }
  | {
      readonly kind: 'stopping';
      readonly startedAt: number;
      readonly timers: readonly NodeJS.Timeout[];
      readonly overdue: number;
      readonly report: Promise<Report>;
      readonly finish: (report: Report) => void;
    }
  | { readonly kind: 'stopped'; readonly overdue: number; readonly report: Promise<Report> };

interface Plan extends ConnectionOptions {
  readonly request: Buffer;
  readonly mode: ConnectionMode;
  readonly timeout: number;
}

/** What a client tells the load that it is part of. */
interface Load {
  answered(client: Client, response: Response, since: number, localPort: number | undefined): void;
  failed(client: Client, failure: Failure, localPort: number | undefined): void;
  unsolicited(failure: Failure, localPort: number | undefined): void;
  opened(): void;
  closed(manner: CloseManner): void;
}

class Client implements ConnectionOwner {
  readonly #plan: Plan;
  readonly #load: Load;
  #state: ClientState = FREE;
  /** The connection that is kept for the next request. */
  #kept: ClientConnection | undefined;

  constructor(plan: Plan, load: Load) {
    this.#plan = plan;
    this.#load = load;
  }

  /** Sends a request. Only for a client without one under way. */
  send(since: number, now: number): void {
    let connection = this.#kept;
    if (!connection) {
      connection = new ClientConnection(this.#plan, this);
      this.#kept = connection;
      this.#load.opened();
    }
    this.#state = { kind: 'waiting', connection, since, sentAt: now };
    connection.send(this.#plan.request);
  }

  /** Calls back after a pause, unless the client is released before. */
  pause(milliseconds: number, then: (client: Client) => void): void {
    const timer = setTimeout(() => {
      this.#state = FREE;
      then(this);
    }, milliseconds);
    this.#state = { kind: 'pausing', timer };
  }

  checkTimeout(now: number): void {
    const state = this.#state;
    if (state.kind === 'waiting' && now - state.sentAt >= this.#plan.timeout)
      state.connection.timeOut(this.#plan.timeout);
  }

  /** Gives up the pause and the idle connection. A request under way is left alone. */
  release(): void {
    if (this.#state.kind === 'waiting') return;
    if (this.#state.kind === 'pausing') clearTimeout(this.#state.timer);
    this.#state = FREE;
    this.#kept?.close();
    this.#kept = undefined;
  }

  answered(response: Response): void {
    const state = this.#state;
    if (state.kind !== 'waiting') return;
    this.#state = FREE;
    if (this.#plan.mode === 'new-connection') {
      this.#kept = undefined;
      state.connection.close();
    }
    this.#load.answered(this, response, state.since, state.connection.localPort);
  }

  failed(failure: Failure, localPort: number | undefined): void {
    this.#state = FREE;
    this.#kept = undefined;
    this.#load.failed(this, failure, localPort);
  }

  closed(manner: CloseManner): void {
    this.#kept = undefined;
    // The end of a connection that was opened for one request, and asked to be closed, is not something done to it.
    if (this.#plan.mode === 'keep-alive') this.#load.closed(manner);
  }

  unsolicited(failure: Failure, localPort: number | undefined): void {
    this.#kept = undefined;
    this.#load.unsolicited(failure, localPort);
  }
}

/** Splits a target into the address to connect to, the Host header and the path. */
function parseTarget(target: string): { address: Address; host: string; path: string } {
  if (target.startsWith('unix:')) {
    const path = target.slice('unix:'.length);
    if (path === '') throw new TypeError(`"${target}" names no path: write unix:/path/to/socket`);
    return { address: { kind: 'unix', path }, host: 'localhost', path: '/' };
  }
  const url = URL.canParse(target) ? new URL(target) : undefined;
  if (url?.protocol !== 'http:') throw new TypeError(`"${target}" is neither http://host:port/path nor unix:/path`);
  // URL keeps the brackets of an IPv6 address, which connect does not take.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? 80 : Number(url.port);
  return { address: { kind: 'tcp', host, port }, host: url.host, path: `${url.pathname}${url.search}` };
}

function positive(name: string, value: number): number {
  if (!(value > 0)) throw new RangeError(`${name} must be more than 0, not ${value}`);
  return value;
}

/** Refuses what would end the request's head early, or add a line to it. */
function headText(name: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw new TypeError(`${name} must not contain a line break`);
  return value;
}

function requestBytes(options: LoadOptions, host: string, path: string): Buffer {
  const headers: Record<string, string> = { Host: host };
  if (options.mode === 'new-connection') headers.Connection = 'close';
  Object.assign(headers, options.headers);
  const lines = [
    `${headText('the method', options.method ?? 'GET')} ${headText('the path', path)} HTTP/1.1`,
    ...Object.entries(headers).map(([name, value]) => headText(`the header ${name}`, `${name}: ${value}`)),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function expectsSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

export class LoadClient extends EventEmitter<LoadEvents> {
  readonly title: string;
  readonly #loop: Loop;
  readonly #expects: (status: number) => boolean;
  readonly #servedByHeader: string;
  readonly #identify: ((response: Response) => string | undefined) | undefined;
  readonly #limit: number;
  readonly #timeout: number;
  readonly #clients: Client[];
  readonly #next = (client: Client) => this.#sendNow(client);

  #state: LoadState = { kind: 'new' };
  #tallies: PhaseTally[];
  readonly #examples: FailureExample[] = [];
  #sent = 0;
  #inFlight = 0;
  /** Fixed rate: those without a request under way, the longest free first. */
  readonly #free: Client[] = [];

  constructor(options: LoadOptions) {
    super();
    const { clients = 1, mode = 'keep-alive', method = 'GET', timeout = 10_000 } = options;
    positive('clients', clients);
    this.#timeout = positive('timeout', timeout);
    this.#loop = options.loop ?? { kind: 'closed', pause: 0 };
    if (this.#loop.kind === 'fixed-rate') positive('requestsPerSecond', this.#loop.requestsPerSecond);
    const { address, host, path } = parseTarget(options.target);
    const request = requestBytes(options, host, options.path ?? path);
    const keepBody = options.identify !== undefined;
    this.title = options.title ?? (mode === 'keep-alive' ? `${clients} keep-alive` : `${clients} new-connection`);
    this.#expects = options.expects ?? expectsSuccess;
    this.#servedByHeader = (options.servedByHeader ?? 'x-served-by').toLowerCase();
    this.#identify = options.identify;
    this.#limit = options.requests ?? Number.POSITIVE_INFINITY;
    this.#tallies = [new PhaseTally(options.label ?? 'start', performance.now())];
    const plan: Plan = { address, method, keepBody, request, mode, timeout };
    const load: Load = {
      answered: (client, response, since, localPort) => this.#answered(client, response, since, localPort),
      failed: (client, failure, localPort) => this.#failed(client, failure, localPort),
      unsolicited: (failure, localPort) => this.#unsolicited(failure, localPort),
      opened: () => this.#tally.opened(),
      closed: (manner) => {
        this.#tally.closed(manner);
        this.emit('closed', manner);
      },
    };
    this.#clients = Array.from({ length: clients }, () => new Client(plan, load));
  }

  /** Begins to send. Once only. */
  start(): void {
    if (this.#state.kind !== 'new') throw new Error(`start() on a load client that is ${this.#state.kind}`);
    const startedAt = performance.now();
    this.#tallies = [new PhaseTally(this.#tally.label, startedAt)];
    // One timer for all deadlines: a timer for each request would cost more than the request.
    const sweep = setInterval(() => this.#checkTimeouts(), Math.min(100, Math.max(1, this.#timeout / 20)));
    if (this.#loop.kind === 'closed') {
      this.#state = { kind: 'running', startedAt, timers: [sweep] };
      for (const client of this.#clients) this.#rest(client, 'answered');
    } else {
      this.#free.push(...this.#clients);
      const ticker = setInterval(() => this.#sendDue(), 1);
      this.#state = { kind: 'running', startedAt, timers: [sweep, ticker] };
      this.#sendDue();
    }
  }

  /** Begins a new phase. What is in flight counts in the phase in which its outcome falls. */
  mark(label: string): void {
    this.#tallies.push(this.#tally.next(label, performance.now()));
  }

  /** Sends no more, awaits the outcome of every request in flight, closes the connections, and reports. */
  stop(): Promise<Report> {
    const state = this.#state;
    if (state.kind === 'stopping' || state.kind === 'stopped') return state.report;
    const now = performance.now();
    const overdue = state.kind === 'running' ? this.#overdue(state.startedAt, now) : 0;
    this.#tally.end(now);
    if (state.kind === 'new') {
      const report = Promise.resolve(this.snapshot());
      this.#state = { kind: 'stopped', overdue: 0, report };
      return report;
    }
    let finish: (report: Report) => void = () => undefined;
    const report = new Promise<Report>((resolve) => {
      finish = resolve;
    });
    this.#state = { kind: 'stopping', startedAt: state.startedAt, timers: state.timers, overdue, report, finish };
    for (const client of this.#clients) client.release();
    this.#settle();
    return report;
  }

  /** The report as of now. */
  snapshot(): Report {
    return combinedReport(this.title, [this]);
  }

  /** For `combinedReport`: what a report is made from. */
  get evidence(): {
    readonly tallies: readonly PhaseTally[];
    readonly inFlight: number;
    readonly overdue: number;
    readonly examples: readonly FailureExample[];
  } {
    const state = this.#state;
    let overdue = 0;
    if (state.kind === 'running') overdue = this.#overdue(state.startedAt, performance.now());
    else if (state.kind !== 'new') overdue = state.overdue;
    return { tallies: this.#tallies, inFlight: this.#inFlight, overdue, examples: this.#examples };
  }

  get #tally(): PhaseTally {
    const tally = this.#tallies.at(-1);
    if (!tally) throw new Error('a load client without a phase');
    return tally;
  }

  #answered(client: Client, response: Response, since: number, localPort: number | undefined): void {
    if (!this.#expects(response.status)) {
      const server = this.#server(response);
      this.#failed(client, { kind: 'bad-status', message: `status ${response.status} from ${server}` }, localPort);
      return;
    }
    const now = performance.now();
    this.#inFlight--;
    const latency = now - since;
    this.#tally.answered(now, latency, this.#server(response));
    this.emit('answer', response, latency);
    this.#rest(client, 'answered');
  }

  #failed(client: Client, failure: Failure, localPort: number | undefined): void {
    this.#inFlight--;
    this.#tally.failedRequest(failure.kind);
    this.#describe(failure, localPort);
    this.#rest(client, 'failed');
  }

  #unsolicited(failure: Failure, localPort: number | undefined): void {
    this.#tally.unsolicited(failure.kind);
    this.#describe(failure, localPort);
  }

  #describe(failure: Failure, localPort: number | undefined): void {
    const startedAt = 'startedAt' in this.#state ? this.#state.startedAt : 0;
    const example: FailureExample = {
      at: performance.now() - startedAt,
      phase: this.#tally.label,
      kind: failure.kind,
      message: failure.message,
      ...(localPort === undefined ? {} : { localPort }),
    };
    const alike = this.#examples.filter(({ kind }) => kind === failure.kind).length;
    if (alike < EXAMPLES_OF_A_KIND) this.#examples.push(example);
    this.emit('failure', example);
  }

  #server(response: Response): string {
    return response.headers.get(this.#servedByHeader) ?? this.#identify?.(response) ?? UNKNOWN_SERVER;
  }

  /**
   * What a client does once its request has an outcome. After a failure the next one waits for a timer in any case: some
   * failures are told before the event loop turns again, and a loop of these would let nothing else run.
   */
  #rest(client: Client, after: 'answered' | 'failed'): void {
    if (this.#state.kind === 'stopping') {
      client.release();
      this.#settle();
      return;
    }
    if (this.#sent >= this.#limit) {
      if (this.#inFlight === 0) this.emit('finished');
      return;
    }
    if (this.#loop.kind === 'fixed-rate') {
      this.#free.push(client);
      if (after === 'answered') this.#sendDue();
    } else if (this.#loop.pause === 0 && after === 'answered') {
      this.#sendNow(client);
    } else {
      client.pause(Math.random() * this.#loop.pause, this.#next);
    }
  }

  #sendNow(client: Client): void {
    if (this.#sent >= this.#limit) return;
    const now = performance.now();
    this.#sent++;
    this.#inFlight++;
    client.send(now, now);
  }

  /** Fixed rate: as the schedule is arithmetic and served in order, what is due is two numbers and no queue. */
  #sendDue(): void {
    const state = this.#state;
    if (state.kind !== 'running' || this.#loop.kind !== 'fixed-rate') return;
    const now = performance.now();
    const interval = 1000 / this.#loop.requestsPerSecond;
    for (let overdue = this.#overdue(state.startedAt, now); overdue > 0; overdue--) {
      const client = this.#free.shift();
      if (!client) return;
      const due = state.startedAt + this.#sent * interval;
      this.#sent++;
      this.#inFlight++;
      client.send(due, now);
    }
  }

  #overdue(startedAt: number, now: number): number {
    if (this.#loop.kind !== 'fixed-rate') return 0;
    const due = Math.floor(((now - startedAt) * this.#loop.requestsPerSecond) / 1000) + 1;
    return Math.max(0, Math.min(due, this.#limit) - this.#sent);
  }

  #checkTimeouts(): void {
    const now = performance.now();
    for (const client of this.#clients) client.checkTimeout(now);
  }

  #settle(): void {
    const state = this.#state;
    if (state.kind !== 'stopping' || this.#inFlight > 0) return;
    for (const timer of state.timers) clearInterval(timer);
    const report = this.snapshot();
    this.#state = { kind: 'stopped', overdue: state.overdue, report: state.report };
    state.finish(report);
  }
}

/** One report on several loads that ran side by side with the same marks: phase by phase, and in total. */
export function combinedReport(title: string, loads: readonly LoadClient[]): Report {
  const now = performance.now();
  const evidence = loads.map((load) => load.evidence);
  const phases = Math.max(0, ...evidence.map(({ tallies }) => tallies.length));
  const phase = (index: number) => {
    const tallies = evidence.flatMap((each) => each.tallies[index] ?? []);
    return PhaseTally.report(tallies[0]?.label ?? '', tallies, now);
  };
  const tallies = evidence.flatMap((each) => each.tallies);
  return {
    title,
    total: PhaseTally.report('total', tallies, now),
    phases: Array.from({ length: phases }, (_, index) => phase(index)),
    inFlight: evidence.reduce((sum, each) => sum + each.inFlight, 0),
    overdue: evidence.reduce((sum, each) => sum + each.overdue, 0),
    examples: evidence.flatMap((each) => each.examples).sort((one, other) => one.at - other.at),
  };
}
