/**
 * The strict load on WebSockets: each client sends numbered messages, without waiting for their echoes, and expects the
 * echoes in their order. Nothing is retried, and nobody connects again.
 *
 * ```ts
 * const load = new WebSocketLoad({ target: 'ws://127.0.0.1:8080/', clients: 100, pause: 100, label: 'before' });
 * await load.start();
 * load.mark('first replacement');
 * const report = await load.stop();
 * ```
 *
 * The server echoes `<number>` as `<number> <who>`.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';

export interface WebSocketLoadOptions {
  readonly target: string;
  readonly clients: number;
  /** The longest pause before a client's next message, in milliseconds. */
  readonly pause: number;
  /** The first phase's label. */
  readonly label: string;
}

/** What the clients saw in one phase, or in all of them. */
export interface WebSocketPhase {
  readonly label: string;
  /** Echoes that came as they were expected. */
  readonly messages: number;
  /** Echoes that did not come, or not in their place: too early, or once more. */
  readonly lost: number;
  /** Connections that the server closed. */
  readonly closed: number;
}

export interface WebSocketReport {
  readonly total: WebSocketPhase;
  readonly phases: readonly WebSocketPhase[];
  /** The first few things that went wrong. */
  readonly examples: readonly string[];
}

type Tally = { -readonly [Part in keyof WebSocketPhase]: WebSocketPhase[Part] };

/** Beyond these what went wrong is counted, not described. */
const exampleLimit = 5;

/** How long the last echoes may take, in milliseconds. */
const echoDeadline = 5_000;

class Client {
  readonly webSocket: WebSocket;
  readonly #load: WebSocketLoad;
  readonly #pause: number;
  #sent = 0;
  #echoed = 0;
  #timer: NodeJS.Timeout | null = null;
  #state: 'open' | 'silent' | 'closed' = 'open';
  #whenDone: () => void = () => {};

  constructor(load: WebSocketLoad, target: string, pause: number) {
    this.#load = load;
    this.#pause = pause;
    this.webSocket = new WebSocket(target, { perMessageDeflate: false });
    this.webSocket.on('message', (data) => this.#echo(data.toString()));
  }

  speak(): void {
    this.webSocket.on('error', () => {}).on('close', (code) => this.#closed(code));
    this.#speakSoon();
  }

  /** Sends nothing more, and resolves when the last echo has come or cannot come any more. */
  async fallSilent(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#state === 'open') {
      this.#state = 'silent';
      const done = new Promise<void>((resolve) => {
        this.#whenDone = resolve;
      });
      const deadline = setTimeout(() => this.#whenDone(), echoDeadline);
      if (this.#echoed < this.#sent) await done;
      clearTimeout(deadline);
      this.#missing('the echo did not come');
    }
    this.#state = 'closed';
    this.webSocket.terminate();
  }

  #speakSoon(): void {
    this.#timer = setTimeout(() => {
      if (this.#state !== 'open') return;
      this.webSocket.send(String(++this.#sent));
      this.#speakSoon();
    }, Math.random() * this.#pause);
  }

  #echo(text: string): void {
    const number = Number.parseInt(text, 10);
    if (number === this.#echoed + 1) this.#load.echoed();
    else this.#load.lost(Math.max(1, number - this.#echoed - 1), `echo ${number} came after ${this.#echoed}`);
    this.#echoed = Math.max(this.#echoed, number);
    if (this.#echoed === this.#sent) this.#whenDone();
  }

  #closed(code: number): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#load.closed(`closed with ${code}`);
    this.#missing('the connection was closed before the echo came');
    this.#whenDone();
  }

  #missing(why: string): void {
    if (this.#echoed === this.#sent) return;
    this.#load.lost(this.#sent - this.#echoed, `${this.#sent - this.#echoed} messages: ${why}`);
    this.#echoed = this.#sent;
  }
}

export class WebSocketLoad {
  readonly title: string;
  readonly #options: WebSocketLoadOptions;
  readonly #tallies: Tally[];
  readonly #examples: string[] = [];
  #clients: Client[] = [];

  constructor(options: WebSocketLoadOptions) {
    this.#options = options;
    this.title = `${options.clients} WebSocket`;
    this.#tallies = [tally(options.label)];
  }

  /** Resolves when every client is connected and speaks; rejects with the first one's reason not to be. */
  async start(): Promise<void> {
    const { clients, pause, target } = this.#options;
    this.#clients = Array.from({ length: clients }, () => new Client(this, target, pause));
    await Promise.all(this.#clients.map(({ webSocket }) => once(webSocket, 'open')));
    for (const client of this.#clients) client.speak();
  }

  /** A new phase begins. */
  mark(label: string): void {
    this.#tallies.push(tally(label));
  }

  report(): WebSocketReport {
    const sum = (part: 'messages' | 'lost' | 'closed') => this.#tallies.reduce((total, each) => total + each[part], 0);
    const total = { label: 'total', messages: sum('messages'), lost: sum('lost'), closed: sum('closed') };
    return { total, phases: this.#tallies.map((each) => ({ ...each })), examples: [...this.#examples] };
  }

  /** Ends the load, if it still runs, once what is under way has come back. */
  async stop(): Promise<WebSocketReport> {
    await Promise.all(this.#clients.splice(0).map((client) => client.fallSilent()));
    return this.report();
  }

  /** @internal */
  echoed(): void {
    this.#now.messages++;
  }

  /** @internal */
  lost(count: number, example: string): void {
    this.#now.lost += count;
    this.#describe(example);
  }

  /** @internal */
  closed(example: string): void {
    this.#now.closed++;
    this.#describe(example);
  }

  get #now(): Tally {
    return this.#tallies.at(-1) as Tally;
  }

  #describe(example: string): void {
    if (this.#examples.length < exampleLimit) this.#examples.push(`${this.#now.label}: ${example}`);
  }
}

function tally(label: string): Tally {
  return { label, messages: 0, lost: 0, closed: 0 };
}
