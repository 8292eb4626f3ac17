import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from './program.ts';

/** A test's folder and the programs in it; disposing of it leaves nothing behind. */
export class Scene implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'fd-handoff-'));
  readonly control = join(this.folder, 'control.sock');
  readonly #programs: Program[] = [];

  /** Starts a server with this scene's control path. */
  server(env: NodeJS.ProcessEnv = {}): Program {
    return this.add(Program.server({ CONTROL: this.control, ...env }));
  }

  /** The same without a terminal, as a daemon runs: a terminal has a say in what SIGWINCH means. */
  daemon(env: NodeJS.ProcessEnv = {}): Program {
    return this.add(Program.server({ CONTROL: this.control, ...env }, { detached: true }));
  }

  add<Added extends Program>(program: Added): Added {
    this.#programs.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
