import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { ask } from './ask.ts';
import { freePort } from './free-port.ts';
import { HeldRequest } from './held-request.ts';
import { isAlive, parentOf } from './processes.ts';
import { Program } from './program.ts';
import type { Scene } from './scene.ts';
import { loggedServer, ServerLog } from './server-log.ts';

/** What a terminal sends where somebody presses Ctrl and C. */
export const controlC = '\x03';

/** As a shell and a supervisor take it. */
export const serverLine = `${process.execPath} ${loggedServer}`;

/** How often it is asked who serves, in milliseconds. */
const interval = 5;

/**
 * How long a request stays in flight when the server has been told, in milliseconds: what is said a second time to it comes
 * within the first twenty or so.
 */
const inFlightTime = 300;

/** What an order to a parent does, in the words of the table of docs/parents.md. */
export interface Seen {
  readonly inFlight: 'finished' | 'cut off';
  readonly port: 'served throughout' | 'refused for a moment' | 'refused';
  readonly left:
    | 'nothing'
    | 'the parent'
    | 'a server of the parent'
    | 'a server without the parent'
    | 'a server, and the parent';
}

/** Who was there in the beginning. */
export interface Family {
  readonly server: number;
  readonly parent: number;
}

/** A server, and what runs it. */
export class Household {
  readonly log: ServerLog;
  readonly environment: Record<string, string>;
  readonly port: number;
  readonly #scene: Scene;
  #shell: number | null = null;

  private constructor(scene: Scene, port: number, environment: Record<string, string>) {
    this.#scene = scene;
    this.port = port;
    this.log = new ServerLog(scene);
    this.environment = { LOG: this.log.path, CONTROL: scene.control, PORT: String(port), ...environment };
  }

  static async of(scene: Scene, environment: Record<string, string> = {}): Promise<Household> {
    return new Household(scene, await freePort(), environment);
  }

  /** Runs it without a terminal. */
  run(command: string, args: readonly string[], env: Record<string, string> = {}): Program {
    return this.#scene.add(
      new Program(command, args, { ...this.environment, ...env }, this.#scene.folder, {
        detached: true,
        stdin: 'pipe',
      }),
    );
  }

  /** Has a shell run it that sits at a terminal, as the job in its foreground, and stays. */
  async atTerminal(line: string, env: Record<string, string> = {}): Promise<Program> {
    const shell = `echo "{\\"event\\":\\"shell\\",\\"pid\\":$$}" >>"$LOG"; ${line}; read -r _`;
    const terminal = this.#scene.add(
      new Program(
        'script',
        ['-qfc', 'bash --norc --noprofile -i -c "$LINE"', '/dev/null'],
        { ...this.environment, ...env, LINE: shell, TERM: 'dumb' },
        this.#scene.folder,
        { stdin: 'pipe' },
      ),
    );
    this.#shell = (await this.log.event('shell')).pid;
    return terminal;
  }

  /**
   * Has a request in flight while `order` is given, and others made all the while.
   *
   * @param settled when nothing more is to come
   */
  async observe(order: () => unknown, settled: (family: Family) => Promise<unknown>): Promise<Seen> {
    const { pid } = await this.log.ready(0);
    const parent = this.#ancestorsOf(pid).at(-1) as number;
    using held = await HeldRequest.open(this.port);
    using visits = new Visits(this.port);
    await visits.answered;
    await order();
    await Promise.race([this.log.event('draining'), this.log.gone(pid), this.log.gone(parent)]);
    await delay(inFlightTime);
    const inFlight = await held.release().then(
      () => 'finished' as const,
      () => 'cut off' as const,
    );
    await settled({ server: pid, parent });
    return { inFlight, port: await visits.verdict(), left: this.#left(parent) };
  }

  #left(parent: number): Seen['left'] {
    const servers = this.log.started.filter(isAlive);
    if (servers.length === 0) return isAlive(parent) ? 'the parent' : 'nothing';
    if (!isAlive(parent)) return 'a server without the parent';
    return servers.some((pid) => this.#ancestorsOf(pid).includes(parent))
      ? 'a server of the parent'
      : 'a server, and the parent';
  }

  /** Those between a process and the test, or the shell; itself, where it has none. */
  #ancestorsOf(pid: number): number[] {
    const ancestors: number[] = [];
    for (let next = parentOf(pid); next > 1 && next !== this.#shell && next !== process.pid; next = parentOf(next)) {
      ancestors.push(next);
    }
    return ancestors;
  }
}

/** Requests one after the other, each over a connection of its own. */
class Visits implements Disposable {
  readonly answered: Promise<void>;
  readonly #over = new AbortController();
  readonly #refused: boolean[] = [];
  readonly #made: Promise<void>;

  constructor(port: number) {
    let first = () => {};
    this.answered = new Promise((resolve) => {
      first = resolve;
    });
    this.#made = this.#make(port, () => first());
  }

  async verdict(): Promise<Seen['port']> {
    // One more, begun after everything has happened.
    const before = this.#refused.length;
    while (this.#refused.length < before + 2) await delay(interval);
    this[Symbol.dispose]();
    await this.#made;
    if (this.#refused.at(-1) === true) return 'refused';
    return this.#refused.includes(true) ? 'refused for a moment' : 'served throughout';
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #make(port: number, onAnswer: () => void): Promise<void> {
    while (!this.#over.signal.aborted) {
      const refused = await ask({ port }).then(
        () => false,
        () => true,
      );
      this.#refused.push(refused);
      if (!refused) onAnswer();
      await delay(interval);
    }
  }
}

const guide = fileURLToPath(new URL('../../docs/parents.md', import.meta.url));

/** The rows of the table, by parent and order. */
export function toldRows(): Map<string, readonly string[]> {
  const rows = readFileSync(guide, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
    .filter(({ length }) => length === 5);
  return new Map(rows.slice(2).map(([parent, order, ...cells]) => [`${parent}: ${order}`, cells]));
}

/** The guide says what was seen. */
export function expectTold(parent: string, order: string, { inFlight, port, left }: Seen): void {
  expect({ [`${parent}: ${order}`]: toldRows().get(`${parent}: ${order}`) }).toEqual({
    [`${parent}: ${order}`]: [inFlight, port, left],
  });
}
