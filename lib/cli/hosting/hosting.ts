import { closeSync, writeSync } from 'node:fs';
import { channelVariable } from '../../app/command-parts.ts';
import { describe } from '../../fd/index.ts';
import { type Handoff, HandoffError, type HandoffOptions, type HostedProgram, handoff } from '../../index.ts';
import type { Call } from '../call/call.ts';
import { CommandError } from '../call/command-error.ts';
import { exitCodeOf } from '../call/exit-code.ts';
import type { ProgramFlags } from './program-flags.ts';
import type { ProgramWords } from './program-words.ts';

/** A program that is to serve behind this process. */
export interface HostingOrder {
  /** Where the next one can take over from this process; null where none is to. */
  readonly control: string | null;
  readonly program: ProgramWords;
  readonly flags: ProgramFlags;
  /** Registers what the program is to have; resolves with the names of that, in its order. */
  readonly take: (app: Handoff) => Promise<readonly string[]>;
}

/** What is said to this process and meant for the program. A terminal says it to this process alone. */
const forwarded: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGTTIN', 'SIGTTOU'];

/** What stops this process, and the program as that understands it: many tell a quick stop from a graceful one by these. */
const stops: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/**
 * Serves with a program until somebody else takes over, the program ends, or this process is told to stop; the call has its
 * exit code then. This process stays: it has the control path, and copies of the listeners for whoever comes next.
 *
 * A program that fails ends this process as a crash would, without a word to the predecessor: one that still drains serves
 * again then.
 */
export async function hostProgram({ control, program: words, flags, take }: HostingOrder, call: Call): Promise<void> {
  call.purpose = 'to do';
  const announce = announcer(flags.notifyFd);
  let program: HostedProgram | null = null;
  const signals: Record<string, unknown> = { SIGTERM: 'shutdown' };
  for (const signal of forwarded) signals[signal] = () => program?.signal(signal);
  for (const signal of stops) signals[signal] = 'shutdown';
  const app = await handoff({
    ...(control === null ? {} : { control }),
    signals: signals as NonNullable<HandoffOptions['signals']>,
    readyTimeout: flags.readyTimeout,
    ...limitsOf(flags),
    exit: false,
  });
  for (const signal of stops) {
    app.onSignal(signal, {
      before: () => {
        if (program !== null) program.stopSignal = signal;
      },
    });
  }
  app.on('error', (error) => call.note(`fd-handoff: ${error.message}`));
  try {
    const names = await take(app);
    program = await app.program({ ...words, names, ...programOptions(flags) }).catch((error) => {
      throw ofProgram(error);
    });
    await app.ready();
  } catch (error) {
    await app.shutdown();
    throw error;
  }
  announce();
  call.exitCode = await endOf(app, program, call);
}

/** Resolves with the exit code when nothing is served here any more. */
async function endOf(app: Handoff, program: HostedProgram, call: Call): Promise<number> {
  const lost = program.lost.then((exit) => ({ how: 'lost', exit }) as const);
  const closed = app.closed.then(({ reason }) => ({ how: 'closed', reason }) as const);
  const end = await Promise.race([lost, closed]);
  if (end.how === 'closed') return end.reason === 'handoff' ? 0 : program.exit === null ? 0 : exitCodeOf(program.exit);
  const code = exitCodeOf(end.exit);
  if (code === 0) await app.shutdown();
  else
    call.note(
      `fd-handoff: The program ended ${end.exit.signal === null ? `with code ${code}` : `by ${end.exit.signal}`}.`,
    );
  return code;
}

/** The program's time is this process's: whoever has given one means it for both of its ends. */
function limitsOf({ stopTimeout }: ProgramFlags): Pick<HandoffOptions, 'drainTimeout' | 'shutdownTimeout'> {
  return stopTimeout === undefined ? {} : { drainTimeout: stopTimeout, shutdownTimeout: stopTimeout };
}

function programOptions({ readyWhen, readyFd, stopSignal, convention }: ProgramFlags) {
  return {
    stopSignal,
    convention,
    ...(readyWhen === undefined ? {} : { readyWhen }),
    ...(readyFd === undefined ? {} : { readyFd }),
  };
}

/** A failure of the program, with the exit code that shells have for it. */
function ofProgram(error: unknown): unknown {
  if (!(error instanceof HandoffError)) return error;
  const { code, message, cause } = error;
  const system = (cause as NodeJS.ErrnoException | undefined)?.code;
  const exit = code !== 'ERR_HANDOFF_EXEC_FAILED' ? 'failed' : system === 'ENOENT' ? 'notFound' : 'notExecutable';
  return new CommandError(message, { code, exit, cause: error });
}

/**
 * Tells a supervisor by the convention of s6's notification-fd: a newline, and nothing more. Not in a successor that was
 * spawned with the same arguments: it has not inherited the descriptor, and the number is something else's there.
 *
 * @throws CommandError where there is no pipe under that number
 */
function announcer(fd: number | undefined): () => void {
  if (fd === undefined || process.env[channelVariable] !== undefined) return () => {};
  if (!isPipe(fd)) {
    throw new CommandError(
      `Descriptor ${fd} is no pipe: --notify-fd is for a supervisor that has opened one (notification-fd of s6).`,
      { code: null, exit: 'usage' },
    );
  }
  return () => {
    writeSync(fd, '\n');
    closeSync(fd);
  };
}

function isPipe(fd: number): boolean {
  try {
    return describe(fd).kind === 'pipe';
  } catch {
    return false;
  }
}
