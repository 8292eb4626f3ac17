import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { ask, type Where } from './ask.ts';
import { askTls } from './ask-tls.ts';
import { makeCertificate } from './certificate.ts';
import { eventually } from './eventually.ts';
import { root } from './packed.ts';
import { isAlive } from './processes.ts';
import { Program, type Told } from './program.ts';
import type { Scene } from './scene.ts';

const reporter = fileURLToPath(new URL('../docs/programs/reporter.mjs', import.meta.url));

/** How a program of the documentation is tried. */
export interface Trial {
  /** What its listeners speak, and so how they are asked; `nothing` for one that serves nobody. */
  readonly speaks?: 'http' | 'https' | 'lines' | 'nothing';
  /** The signal that replaces it, or `nothing` where it has no successor. */
  readonly replacedBy?: NodeJS.Signals | 'nothing';
  /** How many `handoff()`s it calls. */
  readonly handoffs?: number;
}

/** The empty project of somebody who has just installed the package. */
export class Project {
  readonly folder: string;
  readonly #scene: Scene;

  /** @param installed what is linked as the package: the checkout, compiled, or nothing where a folder above has it */
  constructor(scene: Scene, folder = scene.folder, installed: string | null = root) {
    this.#scene = scene;
    this.folder = folder;
    mkdirSync(join(folder, 'node_modules'), { recursive: true });
    if (installed !== null) symlinkSync(installed, join(folder, 'node_modules', 'fd-handoff'));
    writeFileSync(join(folder, 'tsconfig.json'), '{ "compilerOptions": { "experimentalDecorators": true } }');
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  }

  /**
   * Writes a program as the documentation has it, but for what belongs to a machine: any free port instead of a fixed
   * one (0 stays the same port from process to process), this folder instead of /run, this user and group instead of Debian's www-data,
   * and less time for load balancers than there is in the world.
   */
  write(name: string, text: string): string {
    for (const [, imported] of text.matchAll(/(?:from |import |import\()'((?:@[\w.-]+\/)?[\w.-]+)/g))
      this.install(imported as string);
    if (text.includes('key.pem')) this.#certify();
    const file = join(this.folder, name);
    const moved = text
      .replaceAll(/\bport: \d+/g, 'port: 0')
      .replaceAll(/(['"])\/(?:run|srv|etc)\/(?:app\/)?/g, `$1${this.folder}/`)
      .replaceAll(/\bshutdownDelay: [\d_]+/g, 'shutdownDelay: 500')
      .replaceAll('gid: 33', `gid: ${process.getgid?.()}`)
      .replaceAll('uid: 33', `uid: ${process.getuid?.()}`);
    writeFileSync(file, moved);
    return file;
  }

  /** Writes a program in JavaScript (`js`, or `cjs` for CommonJS) or TypeScript, and starts it. */
  run(language: string, text: string): Program {
    this.write(`server.${language}`, text);
    if (language !== 'ts') return this.start([`server.${language}`]);
    this.install('tsx');
    return this.start(['--import', 'tsx', 'server.ts']);
  }

  /** Starts a program of this folder as `node` and `args` would. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
    return this.#scene.add(new Program(process.execPath, this.arguments(...args), env, this.folder));
  }

  /** What `node` gets to run these arguments and to tell of it. */
  arguments(...args: readonly string[]): string[] {
    return ['--import', reporter, ...args];
  }

  /** What openssl makes in the guide. */
  #certify(): void {
    const { key, cert } = makeCertificate();
    writeFileSync(join(this.folder, 'key.pem'), key);
    writeFileSync(join(this.folder, 'cert.pem'), cert);
  }

  /** Has a package that is one of this checkout's; does nothing for others. */
  install(name: string): void {
    const packages = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies as object;
    if (!(name in packages)) return;
    const place = join(this.folder, 'node_modules', name);
    mkdirSync(dirname(place), { recursive: true });
    try {
      symlinkSync(join(root, 'node_modules', name), place);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/**
 * A program's whole life: it starts, answers, is replaced under load without a failure, answers again, and leaves when
 * it is told to.
 */
export async function tryOut({ folder }: Project, program: Program, trial: Trial = {}): Promise<void> {
  const { speaks = 'http', replacedBy = 'SIGHUP' } = trial;
  await answers(folder, program, program.pid, trial);
  let last = program.pid;
  if (replacedBy !== 'nothing') {
    const [{ port } = {}] = listenersOf(program, program.pid);
    const load = speaks === 'http' && port ? loadOn(port) : null;
    using conversation = speaks === 'lines' ? await LineConversation.begin(port as number) : null;
    program.signal(replacedBy);
    last = (await program.ready(1)).pid;
    if (last !== program.pid) expect(await program.exited, program.stderr).toEqual({ code: 0, signal: null });
    const report = await load?.stop();
    expect(report?.examples ?? [], JSON.stringify(program.told)).toEqual([]);
    if (conversation !== null) expect(await conversation.end()).toBe(`${last} has read: hello`);
    await answers(folder, program, last, trial);
  }
  program.signal('SIGTERM', last);
  await eventually(
    () => !isAlive(last),
    () => program.told,
  );
  expect(program.told.filter(({ event }) => event === 'error' || event === 'rollback')).toEqual([]);
  expect(program.stderr.replaceAll(/^.*(?:ExperimentalWarning|node --trace-warnings).*\n/gm, '')).toBe('');
}

/** Where a program listens, as its status says. */
export interface Listener {
  readonly address: string | null;
  readonly port: number | null;
  readonly path: string | null;
}

/** The listeners of that process, once it is ready. */
export function listenersOf(program: Program, pid: number): Listener[] {
  return program.told
    .filter((told) => told.event === 'ready' && told.pid === pid)
    .flatMap((told) => told.listeners as Listener[]);
}

/** Waits until that process is ready, and asks each of its listeners. */
export async function answers(
  folder: string,
  program: Program,
  pid: number,
  { speaks = 'http', handoffs = 1 }: Trial,
): Promise<void> {
  const readies = () => program.told.filter((told: Told) => told.event === 'ready' && told.pid === pid).length;
  const ready = program.event('ready', (told) => told.pid === pid && readies() >= handoffs);
  const ended = program.exited.then(({ code, signal }) => {
    if (pid === program.pid) throw new Error(`it ended with ${code ?? signal} before it was ready: ${program.stderr}`);
    return ready;
  });
  await Promise.race([ready, ended]);
  const listeners = listenersOf(program, pid);
  expect(listeners.length > 0, `speaks ${speaks}`).toBe(speaks !== 'nothing');
  for (const listener of listeners) {
    if (speaks === 'nothing' || speaks === 'lines') continue;
    const where = whereIs(folder, listener);
    const { status } = speaks === 'https' ? await askTls((where as { port: number }).port) : await ask(where);
    expect(status).toBe(200);
  }
}

function whereIs(folder: string, { port, path }: Listener): Where {
  return path === null ? { port: port as number } : { socketPath: resolve(folder, path) };
}

function loadOn(port: number): LoadClient {
  const target = `http://127.0.0.1:${port}/`;
  const load = new LoadClient({ target, clients: 5, mode: 'keep-alive', loop: { kind: 'closed', pause: 20 } });
  load.start();
  return load;
}

/** A client that has begun to write a line when the server is replaced. */
class LineConversation implements Disposable {
  readonly #socket: net.Socket;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  static async begin(port: number): Promise<LineConversation> {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('first\nhel');
    await once(socket, 'data');
    return new LineConversation(socket);
  }

  /** Ends the line on the same connection, and resolves with the answer. */
  async end(): Promise<string> {
    this.#socket.write('lo\n');
    const [answer] = await once(this.#socket, 'data');
    return String(answer).trimEnd();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
