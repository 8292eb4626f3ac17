import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive, processesWith } from './processes.ts';
import type { Told } from './program.ts';
import type { Scene } from './scene.ts';

export const loggedServer = fileURLToPath(new URL('../e2e/programs/logged-server.js', import.meta.url));

/** How long any single event may take. It ends a test that hangs. */
const deadline = 30_000;

/** How often the file is looked at, in milliseconds. */
const interval = 10;

/** What servers have told that another program runs, in the file that their environment names. */
export class ServerLog {
  readonly path: string;

  constructor(scene: Scene) {
    this.path = join(scene.folder, 'log');
    writeFileSync(this.path, '');
    scene.add(this);
  }

  get told(): Told[] {
    if (!existsSync(this.path)) return [];
    const lines = readFileSync(this.path, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Told);
  }

  /** Everybody who was started, in their order. */
  get started(): number[] {
    return this.of('starting').map(({ pid }) => pid);
  }

  of(event: string): Told[] {
    return this.told.filter((told) => told.event === event);
  }

  /** The first line that `matches`, told already or still to come. */
  async event(event: string, matches: (told: Told) => boolean = () => true): Promise<Told> {
    for (const end = performance.now() + deadline; performance.now() < end; await delay(interval)) {
      const found = this.of(event).find(matches);
      if (found !== undefined) return found;
    }
    throw new Error(`no "${event}" came; told: ${JSON.stringify(this.told)}`);
  }

  ready(generation: number): Promise<Told & { readonly port: number }> {
    return this.event('ready', (told) => told.generation === generation) as Promise<Told & { port: number }>;
  }

  /** Resolves when that process is gone. */
  async gone(pid: number): Promise<void> {
    const end = performance.now() + deadline;
    while (isAlive(pid)) {
      if (performance.now() > end) throw new Error(`process ${pid} does not leave; told: ${JSON.stringify(this.told)}`);
      await delay(interval);
    }
  }

  /** Resolves when every process is gone that is named there. */
  async allGone(pids: object): Promise<void> {
    for (const pid of Object.values(pids) as number[]) await this.gone(pid);
  }

  /** Ends every process that has this file, also those that have not told anything yet. */
  async end(): Promise<void> {
    const left = () => processesWith(`LOG=${this.path}\0`);
    for (let pids = left(); pids.length > 0; pids = left()) {
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone meanwhile.
        }
      }
      await delay(interval);
    }
  }
}
