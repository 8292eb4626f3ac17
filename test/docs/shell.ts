import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, type TestContext } from 'vitest';
import { type Listener, listenersOf, Project } from '../support/documented-program.ts';
import { eventually } from '../support/eventually.ts';
import { needs } from '../support/needs.ts';
import { root } from '../support/packed.ts';
import { type Block, readPage } from '../support/page.ts';
import { isAlive } from '../support/processes.ts';
import type { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import type { Treatment } from './treatments.ts';

const run = promisify(execFile);
const { scripts, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Types the lines of a block, one after the other, in a project that has the page's first program as server.js. */
export async function runShell(block: Block, treatment: Treatment | undefined, context: TestContext): Promise<string> {
  for (const [, script] of block.text.matchAll(/npm run (\S+)/g)) expect(Object.keys(scripts)).toContain(script);
  if (treatment?.is === 'left') return `left (${treatment.because})`;
  if (block.text.includes('openssl ')) needs(context, 'openssl', 'version');
  if (block.text.includes('curl ')) needs(context, 'curl', '--version');
  if (treatment?.is === 'successor') return becomeSuccessor(block);
  const program = readPage(block.page).blocks.find(({ language }) => language === 'js');
  await using scene = new Scene();
  const session = new Session(new Project(scene), program?.text ?? '');
  for (const line of block.text.trimEnd().split('\n')) await session.type(line);
  await session.end();
  return 'shell sessions typed';
}

/** Somebody at a terminal, with a server that runs in the background. */
class Session {
  readonly #project: Project;
  /** The ports that the program names, in their order. */
  readonly #ports: readonly string[];
  #broken = false;
  #server: { readonly program: Program; pid: number; generation: number } | null = null;

  constructor(project: Project, text: string) {
    this.#project = project;
    this.#ports = [...new Set([...text.matchAll(/\bport: (\d+)/g)].map(([, port]) => port as string))];
    project.write('server.js', text);
  }

  async type(line: string): Promise<void> {
    const command = line.replace(/\s+#.*$/, '').replace(/ &$/, '');
    const [name = '', ...words] = command.split(/\s+/);
    if (command === '' || name.startsWith('#')) return;
    const hand = this.#hands[name];
    if (hand === undefined) throw new Error(`nobody knows how to type "${command}": see shell.ts`);
    await hand(words);
  }

  async end(): Promise<void> {
    if (this.#server !== null) await this.#signal('SIGTERM');
  }

  readonly #hands: Readonly<Record<string, (words: string[]) => Promise<void> | void>> = {
    node: (words) => this.#start(words),
    kill: async (words) => {
      if (this.#server === null) await this.#start(['server.js']);
      await this.#signal(words.length > 1 ? (`SIG${words[0]?.slice(1)}` as NodeJS.Signals) : 'SIGTERM');
    },
    curl: async (words) => {
      if (this.#server === null) await this.#start(['server.js']);
      const { stdout } = await run('curl', ['-sS', ...words.map((word) => this.#here(word))]);
      expect(stdout).not.toBe('');
    },
    openssl: async (words) => {
      await run('openssl', words, { cwd: this.#project.folder });
      expect(existsSync(join(this.#project.folder, 'key.pem'))).toBe(true);
    },
    // The next version is broken from here on.
    echo: async (words) => {
      await run('/bin/sh', ['-c', `echo ${words.join(' ')}`], { cwd: this.#project.folder });
      this.#broken = true;
    },
    npm: async ([verb = '', ...names]) => {
      if (verb === 'init' || verb === 'pkg')
        return void (await run('npm', [verb, ...names], { cwd: this.#project.folder }));
      if (verb !== 'install') throw new Error(`nobody knows how to type "npm ${verb}": see shell.ts`);
      // That they can be installed is test/package/guides.test.ts.
      for (const name of names.filter((word) => !word.startsWith('-'))) {
        if (name !== 'fd-handoff') expect(Object.keys(devDependencies)).toContain(name);
      }
    },
  };

  async #start(words: readonly string[]): Promise<void> {
    const program = this.#project.start(words);
    const generation = this.#server === null ? 0 : this.#server.generation + 1;
    await program.ready(generation);
    this.#server = { program, pid: program.pid, generation };
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#server === null) throw new Error(`nobody is there to get ${signal}`);
    const { program, pid } = this.#server;
    program.signal(signal, pid);
    if (signal === 'SIGTERM') this.#server = null;
    else if (this.#broken) return void (await program.event('rollback'));
    else
      this.#server = {
        ...this.#server,
        generation: ++this.#server.generation,
        pid: (await program.ready(this.#server.generation)).pid,
      };
    await eventually(
      () => !isAlive(pid),
      () => program.told,
    );
    if (!this.#broken) expect(program.told.filter(({ event }) => event === 'error')).toEqual([]);
  }

  /** A word with the ports that the server really has. */
  #here(word: string): string {
    const { program, pid } = this.#server as { program: Program; pid: number };
    const listeners: Listener[] = listenersOf(program, pid);
    return word.replace(/localhost:(\d+)/, (_, port) => `localhost:${listeners[this.#ports.indexOf(port)]?.port}`);
  }
}

/** The lines as the successor of a server, where `my-server` is anything that accepts on descriptor 3. */
async function becomeSuccessor(block: Block): Promise<string> {
  await using scene = new Scene();
  const project = new Project(scene);
  const server = `http.createServer((request, response) => response.end("from the shell")).listen({ fd: 3 })`;
  const script = block.text.replace('my-server', `'${process.execPath}' -e '${server}'`);
  project.write(
    'server.js',
    `import http from 'node:http';
     import { handoff } from 'fd-handoff';
     const app = await handoff();
     const server = http.createServer(async (request, response) => {
       const pid = await app.upgrade({ command: 'bash', args: ['-c', ${JSON.stringify(script)}] });
       response.end(String(pid));
     });
     await app.listen(server, { port: 8080, host: '127.0.0.1' });
     await app.ready();`,
  );
  const program = project.start(['server.js']);
  await program.ready(0);
  const [{ port } = {}] = listenersOf(program, program.pid);
  const pid = Number(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text());
  program.pids.add(pid);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text()).toBe(
    'from the shell',
  );
  return 'shell scripts that have taken over';
}
