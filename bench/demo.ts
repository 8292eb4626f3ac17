/**
 * `npm run demo`: a server is replaced five times under strict load, and the terminal shows who serves.
 *
 * Exit code 1 if a request failed, a message on a WebSocket was lost, a connection was closed, or a replacement failed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createLogUpdate } from 'log-update';
import { type DemoModel, eventLine, plainLine, screen } from './demo-screen.ts';
import { combinedReport, LoadClient, type Report } from './load-client.ts';
import { failureLines, phaseTable, webSocketTable } from './load-table.ts';
import { type Generation, ServerError, ServerProcesses } from './server-process.ts';
import { WebSocketLoad, type WebSocketReport } from './websocket-load.ts';

const { values: options } = parseArgs({
  options: {
    /** Any program that prints the lines that bench/server-process.ts explains. */
    server: {
      type: 'string',
      default: join(dirname(dirname(fileURLToPath(import.meta.url))), 'examples', 'demo-server.js'),
    },
    /** How many clients on WebSockets: 0 for a server without them. */
    websockets: { type: 'string', default: '100' },
    /** 0: any free one, which the successors keep. */
    port: { type: 'string', default: '0' },
    /** Seconds of load before the first replacement and after each. */
    dwell: { type: 'string', default: '3' },
  },
});

const READY_DEADLINE = 15_000;
const FRAME = 100;
/** Rates are those of the last second: long enough to be steady, short enough to follow a replacement. */
const RATE_WINDOW = 1_000;

type Replacement = 'SIGHUP' | 'started separately';
const REPLACEMENTS: readonly Replacement[] = ['SIGHUP', 'SIGHUP', 'SIGHUP', 'started separately', 'started separately'];

/** The demo was interrupted. */
class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: string, exitCode: number) {
    super(`ended by ${signal}`);
    this.exitCode = exitCode;
  }
}

/** How many requests a second each process answered lately, from samples of its total. */
class RateMeter {
  #samples: { readonly at: number; readonly totals: Readonly<Record<string, number>> }[] = [];
  #highest = 0;

  /** The highest rate so far of any process. */
  get highest(): number {
    return this.#highest;
  }

  sample(at: number, totals: Readonly<Record<string, number>>): void {
    this.#samples.push({ at, totals });
    // The oldest one kept is the last that is older than the window, so that the window is always covered.
    while ((this.#samples[1]?.at ?? at) <= at - RATE_WINDOW) this.#samples.shift();
    for (const server of Object.keys(totals)) this.#highest = Math.max(this.#highest, this.rate(server));
  }

  rate(server: string): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || first === last) return 0;
    const answers = (last.totals[server] ?? 0) - (first.totals[server] ?? 0);
    // A short first window would show a burst as a rate.
    return (answers / Math.max(last.at - first.at, RATE_WINDOW / 2)) * 1000;
  }
}

/** Where the progress goes: redrawn in place on a terminal, plain lines elsewhere. */
interface Display {
  /** Something happened. */
  event(elapsed: number, text: string): void;
  /** Called for every frame. */
  frame(model: DemoModel): void;
  /** No more frames; what was drawn stays. */
  end(): void;
}

function terminalDisplay(): Display {
  const update = createLogUpdate(process.stdout);
  const colours = (process.env.NO_COLOR ?? '') === '';
  return {
    // The rows of the screen show it.
    event: () => undefined,
    frame: (model) => update(screen(model, { columns: process.stdout.columns, colours }).join('\n')),
    end: () => update.done(),
  };
}

function plainDisplay(): Display {
  let printedAt = 0;
  return {
    event: (elapsed, text) => console.log(eventLine(elapsed, text)),
    frame: (model) => {
      if (model.elapsed - printedAt < 1000) return;
      printedAt = model.elapsed;
      console.log(plainLine(model));
    },
    end: () => undefined,
  };
}

function generationText({ generation, pid, port, state }: Generation): string {
  return `generation ${generation} (pid ${pid}) is ${state}${state === 'serving' ? ` on port ${port}` : ''}`;
}

/** Starts the load and replaces the server; what was seen so far can be asked for at any time. */
class Demo {
  readonly #servers: ServerProcesses;
  readonly #display: Display;
  readonly #dwell: number;
  readonly #webSocketClients: number;
  readonly #startedAt = performance.now();
  readonly #rates = new RateMeter();
  #loads: LoadClient[] = [];
  #webSockets: WebSocketLoad | null = null;
  #phase = 'starting';
  #target = '';

  constructor(servers: ServerProcesses, display: Display, dwell: number, webSocketClients: number) {
    this.#webSocketClients = webSocketClients;
    this.#servers = servers;
    this.#display = display;
    this.#dwell = dwell;
  }

  async run(signal: AbortSignal): Promise<void> {
    const changed = (generation: Generation) => this.#event(generationText(generation));
    this.#servers.on('change', changed);
    const frames = setInterval(() => this.#frame(), FRAME);
    try {
      await this.#run(signal);
      this.#frame();
    } finally {
      clearInterval(frames);
      this.#servers.off('change', changed);
      this.#display.end();
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const first = await this.#servers.next(() => this.#servers.spawn(), READY_DEADLINE, signal);
    this.#target = `port ${first.port}`;
    const target = `http://127.0.0.1:${first.port}/`;
    const common = { target, loop: { kind: 'closed', pause: 20 }, label: 'before' } as const;
    this.#loads = [
      new LoadClient({ ...common, mode: 'keep-alive', clients: 100 }),
      new LoadClient({ ...common, mode: 'new-connection', clients: 20 }),
    ];
    this.#webSockets = new WebSocketLoad({
      target: `ws://127.0.0.1:${first.port}/`,
      clients: this.#webSocketClients,
      pause: 100,
      label: common.label,
    });
    await this.#webSockets.start().catch((error: Error) => {
      throw new ServerError(`the server does not take WebSockets (--websockets 0 does without): ${error.message}`);
    });
    for (const load of this.#loads) load.start();
    this.#phase = 'before the first replacement';
    await delay(this.#dwell, undefined, { signal });
    for (const [index, replacement] of REPLACEMENTS.entries()) {
      await this.#replace(index + 1, replacement, first.port, signal);
    }
    this.#phase = `after ${REPLACEMENTS.length} replacements`;
    await this.stop();
  }

  report(): Report | undefined {
    return this.#loads.length === 0 ? undefined : combinedReport('all clients', this.#loads);
  }

  webSocketReport(): WebSocketReport | undefined {
    return this.#webSocketClients === 0 ? undefined : this.#webSockets?.report();
  }

  /** Ends the load, if it still runs: what is in flight gets its answer before the servers are ended. */
  async stop(): Promise<void> {
    await Promise.all([...this.#loads.map((load) => load.stop()), this.#webSockets?.stop()]);
  }

  async #replace(number: number, replacement: Replacement, port: number, signal: AbortSignal): Promise<void> {
    this.#phase = `replacement ${number} of ${REPLACEMENTS.length}: ${replacement}`;
    this.#event(this.#phase);
    for (const load of [...this.#loads, this.#webSockets]) load?.mark(`${number} ${replacement}`);
    const begin = () => {
      if (replacement === 'SIGHUP') this.#servers.signal('SIGHUP');
      else this.#servers.spawn();
    };
    const successor = await this.#servers.next(begin, READY_DEADLINE, signal).catch((error: unknown) => {
      if (error instanceof ServerError) throw new ServerError(`${this.#phase}: ${error.message}`);
      throw error;
    });
    if (successor.port !== port)
      throw new ServerError(`${this.#phase}: it serves on port ${successor.port}, not ${port}`);
    await delay(this.#dwell, undefined, { signal });
    const answers = this.report()?.phases.at(-1)?.servedBy[successor.pid] ?? 0;
    if (answers === 0) throw new ServerError(`${this.#phase}: pid ${successor.pid} was ready, but answered no request`);
  }

  #frame(): void {
    const report = this.report();
    if (!report) return;
    const now = performance.now();
    const { total } = report;
    this.#rates.sample(now, total.servedBy);
    this.#display.frame({
      load: `${[...this.#loads, this.#webSockets].map((load) => load?.title).join(', ')} clients on ${this.#target}`,
      phase: this.#phase,
      elapsed: now - this.#startedAt,
      generations: this.#servers.generations.map(({ generation, pid, state }) => ({
        generation,
        pid,
        state,
        requestsPerSecond: this.#rates.rate(String(pid)),
        requests: total.servedBy[pid] ?? 0,
      })),
      fullRate: this.#rates.highest,
      failed: total.failed,
      closedAnnounced: total.connections.closedAnnounced,
      closedUnannounced: total.connections.closedUnannounced,
      p99: total.latency.p99,
      longestGap: total.longestGap,
      webSockets: this.#webSockets?.report().total ?? { messages: 0, lost: 0, closed: 0 },
    });
  }

  #event(text: string): void {
    this.#display.event(performance.now() - this.#startedAt, text);
  }
}

async function main(): Promise<number> {
  const dwell = Number(options.dwell) * 1000;
  if (!(dwell > 0)) {
    console.error(`--dwell needs a number of seconds above 0, not "${options.dwell}"`);
    return 2;
  }
  const webSocketClients = Number(options.websockets);
  if (!Number.isInteger(webSocketClients) || webSocketClients < 0) {
    console.error(`--websockets needs a number of clients, not "${options.websockets}"`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-demo-'));
  const servers = new ServerProcesses({
    program: resolve(options.server),
    environment: { PORT: options.port, CONTROL: join(folder, 'control.sock') },
  });
  // The last resort, for an exception that nobody caught.
  process.on('exit', () => {
    servers.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const interruption = new AbortController();
  const interrupt = (signal: string, exitCode: number) => {
    // The second time asks for haste: killed servers end the load's waiting for answers, too.
    if (interruption.signal.aborted) servers.kill();
    else interruption.abort(new Interrupted(signal, exitCode));
  };
  process.on('SIGINT', () => interrupt('Ctrl-C', 130));
  process.on('SIGTERM', () => interrupt('SIGTERM', 143));
  process.on('SIGHUP', () => interrupt('SIGHUP', 129));
  // Whoever read the output has left, as `head` does: there is nobody to show anything to. Every further line fails too.
  for (const output of [process.stdout, process.stderr]) {
    output.on('error', () => {
      if (!interruption.signal.aborted) interrupt('the end of the output', 1);
    });
  }

  const terminal = process.stdout.isTTY && process.env.TERM !== 'dumb';
  const demo = new Demo(servers, terminal ? terminalDisplay() : plainDisplay(), dwell, webSocketClients);
  let exitCode = 0;
  const problem = (thrown: unknown) => {
    // What an interruption makes fail on its way is no news.
    const error: unknown = interruption.signal.aborted ? interruption.signal.reason : thrown;
    exitCode = error instanceof Interrupted ? error.exitCode : 1;
    console.error(error instanceof Interrupted || error instanceof ServerError ? `demo: ${error.message}` : error);
  };
  await demo.run(interruption.signal).catch(problem);
  await demo.stop();
  const report = demo.report();
  if (report) {
    console.log(`\n${phaseTable('replacement', [...report.phases, report.total])}`);
    for (const line of failureLines(report.total, report.examples)) console.log(line);
    const { failed, connections } = report.total;
    const closed = connections.closedAnnounced + connections.closedUnannounced;
    if (failed + closed > 0 && exitCode === 0) exitCode = 1;
  }
  const webSockets = demo.webSocketReport();
  if (webSockets) {
    console.log(`\n${webSocketTable('WebSockets', [...webSockets.phases, webSockets.total])}`);
    for (const example of webSockets.examples) console.log(`  ${example}`);
    if (webSockets.total.lost + webSockets.total.closed > 0 && exitCode === 0) exitCode = 1;
  }
  await servers.close().catch(problem);
  return exitCode;
}

process.exitCode = await main();
