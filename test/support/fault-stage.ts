import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, on } from 'node:events';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type FailureKind, LoadClient } from '../../bench/load-client.ts';
import { ask } from './ask.ts';
import { type Cell, type Expectation, expectationFor, indexOf, titleOf } from './fault-cells.ts';
import { descriptorsOf, isAlive, processesWith, stateOf, zombiesOf } from './processes.ts';
import type { Told } from './program.ts';

const program = fileURLToPath(new URL('../e2e/programs/faulted-server.js', import.meta.url));
const preload = pathToFileURL(fileURLToPath(new URL('../e2e/programs/fault.mjs', import.meta.url))).href;

/** How long any single event may take. It ends a cell that hangs; none is written to come near it. */
const deadline = 20_000;

/** The timeouts of the servers, in milliseconds. */
export interface Timeouts {
  readonly readyTimeout: number;
  readonly drainTimeout: number;
}

/**
 * Where something is stopped until a deadline has passed. A successor needs about 200 ms, more on a busy machine; and a
 * server that was stopped for longer than Node's keep-alive timeout of 5 s closes what was idle when it wakes up, before
 * it sees that a request has come.
 */
export const shortTimeouts: Timeouts = { readyTimeout: 3_000, drainTimeout: 2_000 };

/** Where nothing may end by a deadline. */
export const longTimeouts: Timeouts = { readyTimeout: 30_000, drainTimeout: 30_000 };

/** So few that a fault which uses them all up takes a millisecond; a server here has about a hundred. */
const descriptorLimit = 400;

/** How often the kernel is asked for what it tells nobody, such as the end of somebody else's child. */
const pollInterval = 5;

const clients = 5;

/** What a cell has come to. */
export interface Outcome {
  readonly title: string;
  /** Whether the fault happened: a handoff that ended before it, by a deadline, has shown nothing. */
  readonly reached: boolean;
  /** Everything that is not as it has to be; empty for a cell that has passed. */
  readonly problems: readonly string[];
  readonly owner: 'predecessor' | 'successor' | 'nobody';
  readonly requests: number;
  readonly refused: number;
  /** Whether the fault killed the only one who held the listener, so that connections were refused for a while. */
  readonly mayRefuse: boolean;
  /** Requests that were in flight in a process that was killed, or on their way to one that was stopped. */
  readonly reset: number;
  readonly otherwiseFailed: number;
  /** How long the predecessor took to serve again once its successor was killed, in milliseconds. */
  readonly giveBack: number | null;
  readonly duration: number;
}

interface Failed {
  readonly at: number;
  readonly kind: FailureKind;
}

/** Where handoffs go wrong: one service under load, replaced again and again, with a fault in a handoff where a cell says so. */
export class FaultStage implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fd-handoff-'));
  readonly #control = join(this.#folder, 'control.sock');
  readonly #plan = join(this.#folder, 'plan.json');
  readonly #port: number;
  readonly #timeouts: Timeouts;
  readonly #children = new Set<ChildProcess>();
  readonly #news = new EventEmitter();
  readonly #loads: LoadClient[];
  /** For an end in the middle of everything: servers that nobody knows must not be left, nor stopped ones. */
  readonly #onExit = () => {
    for (const pid of processesWith(this.#plan)) process.kill(pid, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  };
  #told: Told[] = [];
  #stderr = '';
  #failures: Failed[] = [];
  #owner = { pid: 0, generation: 0 };
  #descriptors: string[] = [];
  #cells = 0;

  private constructor(port: number, timeouts: Timeouts) {
    process.once('exit', this.#onExit);
    this.#port = port;
    this.#timeouts = timeouts;
    this.#news.setMaxListeners(0);
    const target = `http://127.0.0.1:${port}/`;
    this.#loads = (['keep-alive', 'new-connection'] as const).map(
      (mode) => new LoadClient({ target, clients, mode, loop: { kind: 'closed', pause: 20 } }),
    );
  }

  /** Starts a service and a light load on it. */
  static async open(timeouts: Timeouts): Promise<FaultStage> {
    const stage = new FaultStage(await freePort(), timeouts);
    stage.#start(longTimeouts);
    const { pid } = await stage.#event('ready');
    stage.#owner = { pid, generation: 0 };
    for (const load of stage.#loads) {
      load.on('failure', ({ kind }) => stage.#failures.push({ at: Date.now(), kind }));
      load.start();
    }
    // The first process was started by nobody it could have inherited from; from here on every owner came the same way.
    await stage.#replace();
    stage.#descriptors = descriptorsOf(stage.#owner.pid);
    return stage;
  }

  /** One handoff that goes wrong as `cell` says, and two that must not. */
  async run(cell: Cell): Promise<Outcome> {
    const begun = performance.now();
    const requestsBefore = this.#requests();
    this.#told = [];
    this.#stderr = '';
    this.#failures = [];
    const problems: string[] = [];
    const expectation = expectationFor(cell);
    let owner: Outcome['owner'] = 'nobody';
    try {
      owner = await this.#fail(cell, expectation, problems);
      await this.#replace();
      await this.#settled(`descriptors of ${this.#owner.pid}`, () => this.#leaked(0));
    } catch (error) {
      problems.push((error as Error).message, `told: ${JSON.stringify(this.#told)}`, this.#stderr.slice(-2000));
    }
    const failures = this.#judge(expectation, problems);
    const outcome = {
      title: titleOf(cell),
      reached: this.#told.some(({ event, id }) => event === 'fault' && id === this.#cells),
      problems,
      owner,
      requests: this.#requests() - requestsBefore,
      ...failures,
      mayRefuse: expectation.refusals,
      giveBack: this.#giveBackTime(),
      duration: Math.round(performance.now() - begun),
    };
    if (problems.length > 0) await this.#recover();
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    await this.#killAll();
    await Promise.all(this.#loads.map((load) => load.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The handoff with the fault in it, until exactly one owner is left, or nobody where nobody can be. */
  async #fail(cell: Cell, expectation: Expectation, problems: string[]): Promise<Outcome['owner']> {
    const { act, utterance, kind } = cell;
    const index = indexOf(utterance.name, utterance.occurrence);
    const predecessor = this.#owner;
    const id = ++this.#cells;
    // A request in flight: the predecessor drains until it is released.
    const held = await this.#hold();
    const { side, moment, action, leave } = act;
    const plan = { id, side, moment, action, leave, name: utterance.name, occurrence: utterance.occurrence };
    writeFileSync(`${this.#plan}.new`, JSON.stringify({ ...plan, predecessor: predecessor.pid }));
    // In one step: half of it must not be read.
    renameSync(`${this.#plan}.new`, this.#plan);
    const started = kind === 'separate' ? this.#start(this.#timeouts) : null;
    if (started === null) process.kill(predecessor.pid, 'SIGHUP');

    if (index >= indexOf('DRAINED')) {
      await this.#event('ready');
      held.release();
    }
    const fault = await this.#event('fault', (told) => told.id === id);
    const successor = started ?? (fault.pid === predecessor.pid ? (fault.peer as number) : fault.pid);
    const isGone = (pid: number) => () => (isAlive(pid) ? `process ${pid} lives` : null);
    const isReady = () => this.#told.some(({ event, pid }) => event === 'ready' && pid === successor);

    if (action === 'stop-self') {
      const stopped = fault.pid;
      // It has told so just before.
      await this.#settled('the stop', () => (stateOf(stopped) === 'T' ? null : `${stopped} runs`));
      if (stopped === successor && expectation.owner === 'successor') held.release();
      await this.#settled('the deadline of whoever is not stopped', () => {
        if (stopped === predecessor.pid) return isReady() || !isAlive(successor) ? null : 'the successor waits';
        const calledOff = this.#told.some(
          ({ event, pid, moment: when }) =>
            pid === predecessor.pid && ((event === 'abort' && when === 'sent') || event === 'refusal'),
        );
        return calledOff || !isAlive(predecessor.pid) ? null : 'the predecessor waits';
      });
      process.kill(stopped, 'SIGCONT');
    }

    const decided = () => isReady() || !isAlive(successor);
    await this.#settled('an owner', () => (decided() ? null : 'the successor is neither ready nor gone'));
    const owner =
      expectation.owner === 'either' ? (isAlive(successor) ? 'successor' : 'predecessor') : expectation.owner;
    if (owner === 'predecessor') {
      await this.#settled('the end of the successor', isGone(successor));
      const noticed = ({ pid }: Told) => pid === predecessor.pid;
      if (index >= indexOf('READY')) await this.#event('rollback or give-back', noticed);
      held.release();
    } else if (owner === 'successor') {
      await this.#event('ready', ({ pid }) => pid === successor);
      held.release();
      await this.#settled('the end of the predecessor', isGone(predecessor.pid));
    } else {
      await this.#settled('the end of the successor', isGone(successor));
      await this.#settled('the end of the predecessor', isGone(predecessor.pid));
    }
    const survived = await held.answered;
    if (!survived && !(action.startsWith('kill') && act.victim === 'predecessor'))
      problems.push('the held request failed');

    if (owner === 'nobody') {
      if (processesWith(this.#plan).length > 0) problems.push('a process is left where none should be');
      this.#owner = { pid: successor, generation: this.#generationOf(successor) };
      return owner;
    }
    const pid = owner === 'predecessor' ? predecessor.pid : successor;
    const generation = owner === 'predecessor' ? predecessor.generation : this.#generationOf(pid);
    // Whoever has bound afresh is the first of a new succession.
    const due = owner === 'predecessor' || !expectation.refusals ? predecessor.generation : -1;
    if (owner === 'successor' && generation !== due + 1) problems.push(`generation ${generation}, not ${due + 1}`);
    this.#owner = { pid, generation };
    await this.#checkOwner(problems);
    if (owner === 'predecessor') await this.#settled('descriptors of the predecessor', () => this.#leaked(index));
    return owner;
  }

  /** Exactly one process answers, and it has everything that the owner has to have. */
  async #checkOwner(problems: string[]): Promise<void> {
    const { pid } = this.#owner;
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ port: this.#port })));
    const servers = new Set(answers.map(({ servedBy }) => servedBy));
    if (servers.size !== 1 || !servers.has(pid)) problems.push(`${[...servers].join(', ')} serve, not ${pid}`);
    await this.#settled('one process', () => {
      const alive = processesWith(this.#plan);
      return alive.length === 1 && alive[0] === pid ? null : `${alive.join(', ')} live, not ${pid} alone`;
    });
    await this.#settled('no zombie', () => (zombiesOf(pid).length === 0 ? null : `zombies of ${pid}`));
    if (!existsSync(this.#control)) problems.push('the control path is gone');
  }

  /** What the owner has open that it should not have, or the other way round, after a fault at `index`. */
  #leaked(index: number): string | null {
    const now = descriptorsOf(this.#owner.pid);
    if (now.join() === this.#descriptors.join()) return null;
    // What the successor said it had no use for was let go of, and is not taken back: the listener, and its copy in the
    // server that accepted on it.
    const rest = [...this.#descriptors];
    if (index >= indexOf('UNCLAIMED')) rest.splice(rest.indexOf('listener'), 2);
    return now.join() === rest.join() ? null : difference(this.#descriptors, now);
  }

  /** Two handoffs in good order: to a process that is started by itself, and to one that is spawned. */
  async #replace(): Promise<void> {
    const ignored: string[] = [];
    for (const kind of ['separate', 'spawned'] as const) {
      const before = this.#owner;
      const orphaned = !isAlive(before.pid);
      // One that was killed may have told that it was ready.
      const since = this.#told.length;
      if (kind === 'separate') this.#start(longTimeouts);
      else process.kill(before.pid, 'SIGHUP');
      const ready = await this.#event(
        'ready',
        (told) =>
          this.#told.indexOf(told) >= since && (told.predecessor === before.pid || (orphaned && told.generation === 0)),
      );
      const generation = this.#generationOf(ready.pid);
      const due = orphaned ? 0 : before.generation + 1;
      if (generation !== due) throw new Error(`the next handoff gave generation ${generation}, not ${due}`);
      await this.#settled('the end of the predecessor', () => (isAlive(before.pid) ? `${before.pid} lives` : null));
      this.#owner = { pid: ready.pid, generation };
    }
    await this.#checkOwner(ignored);
    if (ignored.length > 0) throw new Error(`after the next handoffs: ${ignored.join('; ')}`);
  }

  /** Which requests failed, and whether any of them had to. */
  #judge({ refusals, resets }: Expectation, problems: string[]) {
    const count = (...kinds: FailureKind[]) => this.#failures.filter(({ kind }) => kinds.includes(kind)).length;
    const refused = count('refused');
    const reset = count('reset', 'closed-before-answer', 'closed-within-answer');
    const otherwiseFailed = this.#failures.length - refused - reset;
    if (refused > 0 && !refusals) problems.push(`${refused} refused`);
    // Each client has one request under way, and may come to the queue of a process that is dying once more.
    if (reset > (resets ? 4 * clients : 0)) problems.push(`${reset} reset`);
    if (otherwiseFailed > 0) problems.push(`${otherwiseFailed} failed otherwise`);
    return { refused, reset, otherwiseFailed };
  }

  #giveBackTime(): number | null {
    const gaveBack = this.#told.find(({ event }) => event === 'give-back');
    const fault = this.#told.find(({ event, action }) => event === 'fault' && String(action).startsWith('kill'));
    return gaveBack === undefined || fault === undefined ? null : (gaveBack.at as number) - (fault.at as number);
  }

  #generationOf(pid: number): number {
    return this.#told.find((told) => told.event === 'ready' && told.pid === pid)?.generation as number;
  }

  #requests(): number {
    return this.#loads.reduce((sum, load) => sum + load.snapshot().total.requests, 0);
  }

  /** A request to the owner that is answered when it is released. */
  async #hold(): Promise<{ release: () => void; answered: Promise<boolean> }> {
    const request = http.request({ host: '127.0.0.1', port: this.#port, path: '/hold', method: 'POST', agent: false });
    const answered = new Promise<boolean>((resolve) => {
      request.on('error', () => resolve(false));
      request.on('response', (response) => {
        response.on('error', () => resolve(false));
        response.resume().on('end', () => resolve(true));
      });
    });
    request.write('held');
    await this.#event('holding');
    return { release: () => request.end(), answered };
  }

  /** Starts a server, and returns its pid. */
  #start(timeouts: Timeouts): number {
    const child = spawn(
      'sh',
      ['-c', `ulimit -n ${descriptorLimit} && exec "$0" "$@"`, process.execPath, '--import', preload, program],
      {
        env: {
          ...process.env,
          NODE_OPTIONS: '',
          CONTROL: this.#control,
          PORT: String(this.#port),
          FAULT_PLAN: this.#plan,
          // One that is spawned is the predecessor of the next cell.
          OPTIONS: JSON.stringify(timeouts),
          SPAWNED_OPTIONS: JSON.stringify(this.#timeouts),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    child.once('exit', () => this.#news.emit('news'));
    let pending = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) this.#told.push(JSON.parse(line) as Told);
      this.#news.emit('news');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    return child.pid as number;
  }

  /** The first line of that name that `matches`, told already or still to come. */
  async #event(name: string, matches: (told: Told) => boolean = () => true): Promise<Told> {
    const found = () => this.#told.find((told) => name.split(' or ').includes(told.event) && matches(told));
    const already = found();
    if (already !== undefined) return already;
    const signal = AbortSignal.timeout(deadline);
    try {
      for await (const _ of on(this.#news, 'news', { signal })) {
        const told = found();
        if (told !== undefined) return told;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    throw new Error(`no "${name}" came`);
  }

  /** Waits for what nobody tells; `wrong` says what is not so yet, and null when it is. */
  async #settled(what: string, wrong: () => string | null): Promise<void> {
    const end = performance.now() + deadline;
    for (let found = wrong(); found !== null; found = wrong()) {
      if (performance.now() > end) throw new Error(`${what}: ${found}`);
      await delay(pollInterval);
    }
  }

  /** After a cell that did not pass: everything from the beginning, so that the next one is judged by itself. */
  async #recover(): Promise<void> {
    await this.#killAll();
    rmSync(this.#plan, { force: true });
    this.#told = [];
    this.#start(longTimeouts);
    const { pid } = await this.#event('ready');
    this.#owner = { pid, generation: 0 };
    await this.#replace();
  }

  async #killAll(): Promise<void> {
    await this.#settled('the end of everything', () => {
      const left = processesWith(this.#plan);
      for (const pid of left) process.kill(pid, 'SIGKILL');
      return left.length === 0 && this.#children.size === 0 ? null : `${left.join(', ')} live`;
    });
  }
}

/** A port that nobody uses, outside the range from which the kernel takes the ports of clients. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    const server = net.createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** What one list has that the other has not. */
function difference(before: readonly string[], now: readonly string[]): string {
  const more = [...now];
  const less: string[] = [];
  for (const kind of before) {
    const index = more.indexOf(kind);
    if (index === -1) less.push(kind);
    else more.splice(index, 1);
  }
  return `more: ${more.join(', ') || 'nothing'}; less: ${less.join(', ') || 'nothing'}`;
}
