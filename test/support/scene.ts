import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from './program.ts';

/** What a test has started. */
interface Ended {
  end(): Promise<void>;
}

/** A test's folder and the programs in it; disposing of it leaves nothing behind. */
export class Scene implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'fd-handoff-'));
  readonly control = join(this.folder, 'control.sock');
  readonly #started: Ended[] = [];

  /** Starts a server with this scene's control path. */
  server(env: NodeJS.ProcessEnv = {}): Program {
    return this.add(Program.server({ CONTROL: this.control, ...env }));
  }

  /** The same without a terminal, as a daemon runs: a terminal has a say in what SIGWINCH means. */
  daemon(env: NodeJS.ProcessEnv = {}): Program {
    return this.add(Program.server({ CONTROL: this.control, ...env }, { detached: true }));
  }

  add<Added extends Ended>(started: Added): Added {
    this.#started.push(started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map((started) => started.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
