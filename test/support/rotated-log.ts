import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { readPage } from './page.ts';
import { Program, type Told } from './program.ts';
import { Scene } from './scene.ts';

const program = fileURLToPath(new URL('../e2e/programs/log-server.js', import.meta.url));

/** What docs/logs.md tells an administrator to write. */
const documented = readPage('docs/logs.md').blocks.find(({ text }) => text.includes('postrotate'))?.text ?? '';

/** A scene whose servers write a log that Debian's logrotate rotates. */
export class RotatedLog extends Scene {
  readonly log = join(realpathSync(this.folder), 'app.log');
  readonly pidFile = join(this.folder, 'app.pid');
  readonly #told = join(this.folder, 'told');

  /** @param to how it gets its log: by a descriptor of its own, or by the shell that starts it (`>> app.log 2>&1`) */
  start(env: NodeJS.ProcessEnv = {}, to: 'descriptor' | 'shell' = 'descriptor'): Program {
    const all = { CONTROL: this.control, PID_FILE: this.pidFile, LOG: this.log, TOLD: this.#told, ...env };
    const words = to === 'shell' ? `exec "$0" "$1" >> ${this.log} 2>&1` : 'exec "$0" "$1"';
    return this.add(new Program('sh', ['-c', words, process.execPath, program], all));
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    // What tells in a file is not known by its output.
    for (const { pid } of this.told()) kill(pid);
    await super[Symbol.asyncDispose]();
  }

  told(): Told[] {
    if (!existsSync(this.#told)) return [];
    const lines = readFileSync(this.#told, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Told);
  }

  async event(event: string, matches: (told: Told) => boolean = () => true): Promise<Told> {
    const found = () => this.told().find((told) => told.event === event && matches(told));
    await expect
      .poll(found, { timeout: 30_000, message: `"${event}" of ${JSON.stringify(this.told())}` })
      .toBeDefined();
    return found() as Told;
  }

  ready(generation: number): Promise<Told> {
    return this.event('ready', (told) => told.generation === generation && told.worker === false);
  }

  named(): number {
    return Number(readFileSync(this.pidFile, 'utf8'));
  }

  rotate(how: 'create' | 'copytruncate'): void {
    const configuration = join(this.folder, 'logrotate.conf');
    const text =
      how === 'create'
        ? documented
            .replace('/var/log/app/app.log', this.log)
            .replace('/run/app/app.pid', this.pidFile)
            .replace(' www-data www-data', '')
            // What is compressed is read by nobody here.
            .replace(/^ *(delay)?compress\n/gm, '')
        : `${this.log} {\n  rotate 14\n  copytruncate\n}\n`;
    writeFileSync(configuration, text, { mode: 0o644 });
    execFileSync('logrotate', ['--force', '--state', join(this.folder, 'logrotate.state'), configuration], {
      stdio: 'pipe',
    });
  }

  /** Resolves when that number of that process leads to the file that has the log's name now. */
  follows(pid: number, ...fds: number[]): Promise<void> {
    return this.followsFile(this.log, pid, ...fds);
  }

  /** The same for another file. */
  async followsFile(file: string, pid: number, ...fds: number[]): Promise<void> {
    for (const fd of fds) {
      const target = () => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {
          return 'nothing';
        }
      };
      await expect.poll(target, { timeout: 30_000, message: `descriptor ${fd} of process ${pid}` }).toBe(file);
    }
  }

  /** The files of the log, the oldest first. */
  files(): string[] {
    const rotated = Array.from({ length: 9 }, (_, index) => `${this.log}.${9 - index}`);
    return [...rotated, this.log].filter((file) => existsSync(file));
  }

  /** How long each rotated file is, the oldest first. */
  sizes(): number[] {
    return this.files()
      .filter((file) => file !== this.log)
      .map((file) => statSync(file).size);
  }

  /** The numbers that each writer has written, in the order of the files, and the lines that are none. */
  lines(): { byWriter: Map<string, number[]>; others: string[] } {
    const byWriter = new Map<string, number[]>();
    const others: string[] = [];
    const text = this.files()
      .map((file) => readFileSync(file, 'utf8'))
      .join('');
    for (const line of text.split('\n').slice(0, -1)) {
      const [, writer, number] = /^([\d-]+) (\d+)$/.exec(line) ?? [];
      if (writer === undefined) others.push(line);
      else byWriter.set(writer, [...(byWriter.get(writer) ?? []), Number(number)]);
    }
    return { byWriter, others };
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already, as most are.
  }
}
