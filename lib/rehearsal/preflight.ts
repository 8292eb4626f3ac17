import { spawn } from 'node:child_process';
import { abortReason, Deadline, untilAborted } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { sharingStreams } from '../process/output/shared-streams.ts';
import { Child, notStarted, type Part } from '../process/start/child.ts';
import { preflightVariable } from '../process/start/environment.ts';
import { isOwnProgram, type Launch, launchWithDebugger } from '../process/start/launch.ts';
import { SuccessorError } from '../process/start/successor-error.ts';
import { ReadyPipe } from '../transaction/ready-pipe.ts';

/** Looks at the next version in the application's own way: throwing calls the handoff off. */
export type PreflightCheck = (context: { readonly signal: AbortSignal }) => void | Promise<void>;

/** A program and its arguments, such as `['nginx', '-t']`: any exit code but 0 calls the handoff off. */
export type PreflightCommand = readonly [program: string, ...args: string[]];

/**
 * What has to go well before the running version is touched. `true`: the next version itself, started as a rehearsal that
 * gets to its `ready()` and serves nobody. `false`: nothing.
 */
export type Preflight = boolean | PreflightCheck | PreflightCommand;

export interface PreflightOptions {
  readonly launch: Launch;
  /** What a rehearsal can read of this process; see `introductionLine()`. */
  readonly introduction: () => string;
  /** How long it may take, in milliseconds. */
  readonly timeout: number;
  /** Calls it off. */
  readonly signal: AbortSignal;
}

const others = 'this process serves on';
const part: Part = { name: 'preflight', others };

/** The number of the rehearsal's one descriptor besides the standard streams. */
const rehearsalDescriptor = 3;

/**
 * Resolves when the preflight went well. Whatever it has started is gone then, and where it failed.
 *
 * @throws ERR_HANDOFF_SUCCESSOR_EXITED (a `SuccessorError`) for a rehearsal that ended before its `ready()`,
 *   ERR_HANDOFF_UNCLAIMED for one that would serve nothing,
 *   ERR_HANDOFF_ABORTED with the error as `cause` for a function that threw, and as a `SuccessorError` for a command that
 *   failed, ERR_HANDOFF_EXEC_FAILED for what cannot be started, ERR_HANDOFF_TIMEOUT
 */
export async function passPreflight(preflight: Preflight, options: PreflightOptions): Promise<void> {
  if (preflight === false) return;
  using deadline = Deadline.after(options.timeout, 'The preflight was not over', options.signal);
  if (deadline.signal.aborted) throw abortReason(deadline.signal);
  if (preflight === true) await rehearse(options, deadline.signal);
  else if (typeof preflight === 'function') await callCheck(preflight, deadline.signal);
  else await runCommand(preflight, options.launch, deadline.signal);
}

/**
 * What `reexec()` asks of its next image where the caller asks for nothing else. Another program may not know this library,
 * and would serve for real if it were rehearsed: that it was found has to do.
 */
export function defaultPreflight(image: Launch): Preflight {
  return isOwnProgram(image);
}

async function rehearse({ launch, introduction }: PreflightOptions, signal: AbortSignal): Promise<void> {
  using ready = ReadyPipe.introducing(introduction());
  const env = { ...launch.env, [preflightVariable]: String(rehearsalDescriptor) };
  const child = await start({ ...launch, env }, [ready.writer]);
  ready.closeWriter();
  const failed = child.exited.then((exit) => {
    const what = { code: 'ERR_HANDOFF_SUCCESSOR_EXITED', before: 'it was ready' } as const;
    throw SuccessorError.exited(part, child, exit, what);
  });
  // Its exit says more than the end of its pipe. Its helpers may hold that open when it has long failed.
  const succeeded = ready.ready(signal).catch((error: HandoffError) => {
    if (error.code === 'ERR_HANDOFF_UNCLAIMED') throw error;
    return failed;
  });
  await untilOver(child, Promise.race([succeeded, failed]), signal);
  // Only then is the connection closed: it would take the end of that for a death of this process, and exit with 1.
  await child.terminate({ hangs: false });
}

async function runCommand([command, ...args]: PreflightCommand, launch: Launch, signal: AbortSignal): Promise<void> {
  const child = await start({ ...launch, command, args }, []);
  const exit = await untilOver(child, child.exited, signal);
  if (exit.code === 0) return;
  const named = { ...part, name: `${part.name} "${command}"` };
  throw SuccessorError.exited(named, child, exit, { code: 'ERR_HANDOFF_ABORTED' });
}

async function start(launch: Launch, descriptors: readonly number[]): Promise<Child> {
  // The port is that of the process that serves, and nobody is waited for.
  const { command, args, cwd, env } = launchWithDebugger(launch, 'on demand');
  try {
    // In a group of its own: what a rehearsal starts must not outlive it, and Ctrl-C or a HUP for all is not for it. Nor
    // is what somebody types.
    const stdio = ['ignore', 'inherit', 'pipe', ...descriptors] as const;
    const child = sharingStreams(() => spawn(command, args, { cwd, env, detached: true, stdio: [...stdio] }));
    return await Child.of(child, 'own');
  } catch (error) {
    throw notStarted(part, error, { command, cwd });
  }
}

/** What `child` comes to. If `signal` aborts before that, the child is ended and what it has said is added to the reason. */
async function untilOver<Value>(child: Child, outcome: Promise<Value>, signal: AbortSignal): Promise<Value> {
  try {
    return await untilAborted(outcome, signal);
  } catch (error) {
    if (error instanceof SuccessorError) throw error;
    const exit = await child.terminate({ hangs: true });
    throw SuccessorError.ended(part, child, exit, error as HandoffError);
  }
}

async function callCheck(check: PreflightCheck, signal: AbortSignal): Promise<void> {
  const checked = Promise.resolve()
    .then(() => check({ signal }))
    .catch((error) => {
      if (error instanceof HandoffError) throw error;
      throw new HandoffError(
        'ERR_HANDOFF_ABORTED',
        `The preflight called the handoff off: ${error instanceof Error ? error.message : error}. This process serves on.`,
        { cause: error },
      );
    });
  await untilAborted(checked, signal);
}
