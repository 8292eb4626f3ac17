import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Outcome, outcome } from './child-script.ts';
import { Program } from './program.ts';

/** The command as it is installed. */
export const commandFile = fileURLToPath(new URL('../../dist/cli/fd-handoff.js', import.meta.url));

/**
 * Nothing of what surrounds a test decides about colours: Node gives none where `CI` is set. Not even empty: Node 22
 * warns of NO_COLOR and FORCE_COLOR together.
 */
const plain: NodeJS.ProcessEnv = {
  CI: undefined,
  NO_COLOR: undefined,
  FORCE_COLOR: undefined,
  FD_HANDOFF_DEBUG: undefined,
};

/** Runs the command to its end, without a terminal. */
export function runCommand(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const env = { ...process.env, ...plain, ...environment };
  return outcome(spawn(process.execPath, [commandFile, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** A call of the command that goes on until a test ends it, or it ends by itself. */
export class CommandRun extends Program {
  stdout = '';
  readonly #heard = new EventEmitter();

  /** @param terminal what runs it on a terminal, in place of the arguments */
  constructor(
    args: readonly string[],
    { env = {}, folder, terminal }: { env?: NodeJS.ProcessEnv; folder?: string; terminal?: boolean } = {},
  ) {
    const line = [process.execPath, commandFile, ...args];
    const [command, ...rest] = terminal === true ? onTerminal(line) : line;
    super(command as string, rest, { ...plain, TERM: 'xterm', ...env }, folder, terminal ? { stdin: 'pipe' } : {});
    this.child.stdout?.on('data', (text: string) => {
      this.stdout += text;
      this.#heard.emit('heard');
    });
    this.child.stderr?.on('data', () => this.#heard.emit('heard'));
    void this.exited.then(() => this.#heard.emit('heard'));
  }

  /** Resolves when `text` has come on standard output so many times. */
  output(text: string, count = 1): Promise<void> {
    return this.#until(text, () => this.stdout.split(text).length > count);
  }

  /** The same on standard error. */
  errors(text: string, count = 1): Promise<void> {
    return this.#until(text, () => this.stderr.split(text).length > count);
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(deadline);
    try {
      while (!holds()) await once(this.#heard, 'heard', { signal });
    } catch (cause) {
      throw new Error(`${JSON.stringify(what)} did not come: ${this.stdout}\n${this.stderr}`, { cause });
    }
  }
}

/** How long a text may take to come; it ends a test that hangs. */
const deadline = 30_000;

/** `script` has a shell run the line, the user's or `sh`; with `exec`, since some stay beside it and get its Ctrl-C too. */
function onTerminal(line: readonly string[]): string[] {
  return ['script', '-qefc', `exec ${line.map((word) => `'${word}'`).join(' ')}`, '/dev/null'];
}
