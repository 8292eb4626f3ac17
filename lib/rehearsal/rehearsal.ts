import { writeSync } from 'node:fs';
import net from 'node:net';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { Deadline, untilAborted } from '../channel/deadline.ts';
import { setCloseOnExec } from '../fd/descriptor.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { leave } from '../process/leave.ts';
import { forgetPredecessors, malformed, preflightVariable, readPreflight } from '../process/start/environment.ts';
import type { SignalAction } from '../signals/signal-map.ts';
import { refusalText } from '../transaction/ready-pipe.ts';
import { RehearsedInheritance, readIntroduction } from '../transaction/rehearsed-inheritance.ts';

/** By what the worker threads of a rehearsal know that they are in one: their environment is a copy of an earlier one. */
const workerKey = 'fd-handoff:rehearsal';

/**
 * This process as a rehearsal: its predecessor wants to see that this version gets to `ready()`, and goes on serving
 * meanwhile. It lasts from the import to the first `ready()`, whatever number of `handoff()`s there are.
 */
export class Rehearsal {
  readonly #variable: string;
  readonly #socket: net.Socket;
  readonly #introduction: Promise<string>;

  /** @param fd the connection to the predecessor, taken over */
  constructor(fd: number) {
    this.#variable = String(fd);
    setCloseOnExec(fd, true);
    this.#socket = new net.Socket({ fd });
    // A rehearsal that has nothing else to do ends, and has failed.
    this.#socket.unref();
    this.#socket.on('error', () => {});
    this.#socket.once('close', leaveOrphaned);
    this.#introduction = new Promise((resolve) => {
      let text = '';
      this.#socket.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        if (text.endsWith('\n')) resolve(text);
      });
    });
  }

  /** What this version would inherit if it were not a rehearsal. */
  async inheritance(timeout: number): Promise<RehearsedInheritance> {
    using deadline = Deadline.after(timeout, 'The process that rehearses this one did not introduce itself');
    const introduction = readIntroduction(await untilAborted(this.#introduction, deadline.signal));
    if (introduction === null) throw malformed(preflightVariable, this.#variable);
    return new RehearsedInheritance(introduction);
  }

  /** Who signals a rehearsal by its name means the process that serves; who tells it to stop means it. */
  onSignal(action: SignalAction): true {
    if (action === 'shutdown' || action === 'hammer') void leave(1);
    return true;
  }

  /** This version got to `ready()`, and is no successor: says why, without the newline that would say the opposite. */
  fail(error: HandoffError): void {
    this.#socket.end(refusalText(error));
  }

  /** This version got to `ready()`. Never resolves: what comes after that belongs to the real start. */
  async succeed(): Promise<never> {
    await new Promise((resolve) => this.#socket.write('\n', resolve));
    return leave(0);
  }
}

/** Nobody waits for the result any more, and nobody would end a rehearsal that lived on. */
function leaveOrphaned(): void {
  try {
    writeSync(2, `The process that rehearsed this one (${preflightVariable}) is gone.\n`);
  } catch {
    // So is whoever read this.
  }
  process.exit(1);
}

// At import, not in `handoff()`: what the application awaits before it calls that must not outlive the predecessor either.
const begun = isMainThread ? begin() : null;

function begin(): Rehearsal | Error | null {
  try {
    const fd = readPreflight(process.env);
    if (fd === null) return null;
    const rehearsal = new Rehearsal(fd);
    setEnvironmentData(workerKey, true);
    // Not removed before `handoff()`: a wrapper that imports this library, and starts the application in a process of its
    // own, must not turn that into a real one. But in another process the number is another descriptor's.
    process.env[preflightVariable] = 'taken';
    return rehearsal;
  } catch (error) {
    // Importing must not fail; `handoff()` will.
    return error instanceof HandoffError
      ? error
      : malformed(preflightVariable, process.env[preflightVariable] ?? '', error);
  }
}

/**
 * The rehearsal that this process is; null where it is none.
 *
 * @throws ERR_HANDOFF_PROTOCOL for a variable that was set by hand, ERR_HANDOFF_ABORTED in a worker thread
 */
export function currentRehearsal(): Rehearsal | null {
  if (!isMainThread && (preflightVariable in process.env || getEnvironmentData(workerKey) === true)) {
    throw new HandoffError(
      'ERR_HANDOFF_ABORTED',
      'handoff() was called in a worker thread of a rehearsal, which could not end the process at ready(): use { preflight: false }, or call it in the main thread.',
    );
  }
  if (begun === null) return null;
  forgetPredecessors(process.env);
  if (begun instanceof Error) throw begun;
  return begun;
}
