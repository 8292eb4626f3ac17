import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, type TestContext } from 'vitest';
import { ControlGroups } from './control-groups.ts';
import { needs } from './needs.ts';
import { childrenOf } from './processes.ts';
import { Program } from './program.ts';
import type { Scene } from './scene.ts';

const script = fileURLToPath(new URL('../peers/systemd_user.sh', import.meta.url));
const project = fileURLToPath(new URL('../..', import.meta.url));

/** `%t` in its units. Not `/run/user/0`: before it is there, the one that answers could be the machine's. */
const runtime = '/run/fd-handoff-systemd';

/** A unit's properties, as `systemctl show` has them. */
export type Properties = Readonly<Record<string, string>>;

/**
 * A running `systemd --user`, in namespaces of its own: it has no units but those that it is given, and ends with the
 * test. The network is this machine's. The ids of its processes, those that a server answers with included, are those of
 * its own namespace: nothing here may be killed by them.
 */
export class Systemd {
  readonly #program: Program;
  readonly #groups: ControlGroups;
  readonly #folder: string;

  private constructor(program: Program, groups: ControlGroups, folder: string) {
    this.#program = program;
    this.#groups = groups;
    this.#folder = folder;
  }

  /**
   * Starts one with these units, which ends with the scene, or skips the test, and says why, where this machine does not
   * let one be started. The scene's folder is at the same path for its services.
   */
  static async start(context: TestContext, scene: Scene, units: Readonly<Record<string, string>>): Promise<Systemd> {
    if (process.getuid?.() !== 0) context.skip('only root can start a systemd in namespaces of its own');
    needs(context, '/usr/lib/systemd/systemd', '--version');
    needs(context, 'unshare', '--version');
    try {
      execFileSync('unshare', ['--mount', '--pid', '--fork', 'true'], { stdio: 'ignore' });
    } catch {
      context.skip('this machine allows no namespaces: a container needs CAP_SYS_ADMIN for a systemd of its own');
    }
    const groups = controlGroups(context);
    const { folder } = scene;
    const unitFolder = join(folder, 'units');
    mkdirSync(unitFolder);
    for (const [name, text] of Object.entries({ 'basic.target': basicTarget, ...units })) {
      writeFileSync(join(unitFolder, name), text);
    }
    const program = new Program(
      'sh',
      [script, 'join', ...groups.folders, '--', folder, project, dirname(process.execPath)],
      { XDG_RUNTIME_DIR: runtime, SYSTEMD_UNIT_PATH: unitFolder },
      undefined,
      { stdin: 'pipe' },
    );
    const systemd = scene.add(new Systemd(program, groups, folder));
    try {
      await expect
        .poll(() => systemd.systemctl('is-active', 'basic.target').catch(String), { timeout: 30_000 })
        .toBe('active');
    } catch (cause) {
      throw new Error(`systemd did not start: ${program.stderr}`, { cause });
    }
    return systemd;
  }

  /** Runs it, and returns what it prints; rejects where it fails. */
  async systemctl(...args: string[]): Promise<string> {
    const environment = ['env', '-i', `PATH=${process.env.PATH}`, `XDG_RUNTIME_DIR=${runtime}`];
    const { stdout } = await promisify(execFile)('nsenter', [
      ...['--target', String(this.#init), '--mount', '--pid', '--'],
      ...[...environment, 'systemctl', '--user', ...args],
    ]);
    return stdout.trim();
  }

  async show(unit: string): Promise<Properties> {
    const lines = (await this.systemctl('show', unit)).split('\n');
    return Object.fromEntries(lines.map((line) => /^([^=]*)=(.*)$/s.exec(line)?.slice(1) ?? []));
  }

  async mainPid(unit: string): Promise<number> {
    return Number((await this.show(unit)).MainPID);
  }

  /** Resolves with all properties of a unit when it has these. */
  async shows(unit: string, properties: Properties): Promise<Properties> {
    let found: Properties = {};
    const look = async () => {
      found = await this.show(unit);
      return found;
    };
    try {
      await expect.poll(look, { timeout: 30_000 }).toMatchObject(properties);
    } catch (cause) {
      throw new Error(`${unit} did not come so far; it has said: ${this.said}`, { cause });
    }
    return found;
  }

  /** Resolves with the main process of a unit when it is another one than before, and serves. */
  async mainAfter(unit: string, former: number): Promise<number> {
    await expect.poll(() => this.mainPid(unit), { timeout: 30_000 }).not.toSatisfy((pid) => [0, former].includes(pid));
    return Number((await this.shows(unit, { ActiveState: 'active', SubState: 'running' })).MainPID);
  }

  /** The path outside of what is at `%t/` and this for its services. */
  path(inside: string): string {
    return `/proc/${this.#init}/root${runtime}/${inside}`;
  }

  /** What the units that write to `output` have said, for an error that is to be understood. */
  get said(): string {
    return (existsSync(this.output) ? readFileSync(this.output, 'utf8') : '') + this.#program.stderr;
  }

  /** The file in the scene's folder. */
  get output(): string {
    return join(this.#folder, 'output');
  }

  /** Everything in the namespace ends with its first process, and that with whoever has started it. */
  async end(): Promise<void> {
    await this.#program.end();
    await this.#groups.remove();
  }

  get #init(): number {
    const [init] = childrenOf(this.#program.pid);
    if (init === undefined) throw new Error(`systemd is not there: ${this.#program.stderr}`);
    return init;
  }
}

/** What every service wants to be there first. systemd.special(7). */
const basicTarget = '[Unit]\nDescription=nothing\nDefaultDependencies=no\n';

function controlGroups(context: TestContext): ControlGroups {
  try {
    return new ControlGroups();
  } catch (error) {
    return context.skip(`this machine lets nobody make a control group: ${(error as Error).message}`);
  }
}
