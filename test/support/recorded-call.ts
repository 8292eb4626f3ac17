import { Call } from '../../lib/cli/call/call.ts';

/** What was written, in place of a terminal. */
class Recorder {
  readonly isTTY: boolean;
  text = '';

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  hasColors(): boolean {
    return this.isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

/** A call of the command whose output can be read. */
export class RecordedCall extends Call {
  readonly #stdout: Recorder;
  readonly #stderr: Recorder;

  constructor({ environment = {}, terminal = false }: { environment?: NodeJS.ProcessEnv; terminal?: boolean } = {}) {
    const stdout = new Recorder(terminal);
    const stderr = new Recorder(terminal);
    super(environment, stdout, stderr);
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  get output(): string {
    return this.#stdout.text;
  }

  get errors(): string {
    return this.#stderr.text;
  }
}
