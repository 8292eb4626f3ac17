import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Deadline, untilAborted } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { Child, type Exit, notStarted, type Part } from '../process/start/child.ts';
import type { Launch } from '../process/start/launch.ts';
import { withListenPid } from '../process/start/listen-pid.ts';
import { SuccessorError } from '../process/start/successor-error.ts';
import { notifySocketVariable } from '../systemd/notify.ts';
import { NotifyListener } from '../systemd/notify-listener.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';
import { ReadyPipe } from '../transaction/ready-pipe.ts';
import { OrphanGuard } from './orphan-guard.ts';
import { type Convention, passToProgram } from './program-variables.ts';
import type { Readiness } from './readiness.ts';
import { askUntilServing } from './readiness-probe.ts';

/** How a program is started, and what it gets. */
export interface ProgramPlan extends Launch {
  readonly convention: Convention;
  readonly readiness: Readiness;
  /** The number that it writes its newline to; null where it reads that from `FD_HANDOFF_READY_FD`. */
  readonly readyNumber: number | null;
  /** How long it may take from its start to ready, in milliseconds. */
  readonly readyTimeout: number;
  readonly stopSignal: NodeJS.Signals;
  /** How long it may take to stop, in milliseconds, before it is killed. */
  readonly stopTimeout: number;
  /** The same where this process is gone without having told it to: nobody serves then. */
  readonly orphanTimeout: number;
  /** What it is to have, in its order; borrowed. */
  readonly listeners: readonly NamedDescriptor[];
  /** What this process's standard error is meant to be; borrowed. */
  readonly stderr: number;
}

const programPart: Part = { name: 'program', others: 'what served before it serves on' };

/** A program that this process runs, up to its end: nothing that it has started outlives it. */
export class ProgramProcess {
  readonly pid: number;
  /** Settles, and never rejects, when it has ended. */
  readonly exited: Promise<Exit>;
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
    this.pid = child.pid;
    this.exited = child.exited;
  }

  /** Starts it; resolves when it is ready. Rejects when it is not, with how it ended: it is gone then. */
  static async start(plan: ProgramPlan, outer: AbortSignal): Promise<ProgramProcess> {
    const { readyTimeout, readiness } = plan;
    using deadline = Deadline.after(readyTimeout, `The program was not ready (${saysOf(readiness)})`, outer);
    using ready = new ReadyPipe();
    const notify = new NotifyListener();
    let child: Child;
    try {
      child = await spawnProgram(plan, ready, notify);
    } catch (error) {
      notify[Symbol.dispose]();
      throw error instanceof RangeError ? error : notStarted(programPart, error, plan);
    }
    ready.closeWriter();
    const guard = new OrphanGuard({ pid: child.pid, stopSignal: plan.stopSignal, timeout: plan.orphanTimeout });
    void child.exited.then(() => {
      guard[Symbol.dispose]();
      notify[Symbol.dispose]();
    });
    try {
      await untilReady(plan, child, ready, notify, deadline.signal);
      return new ProgramProcess(child);
    } catch (error) {
      throw await failure(child, notify, error as HandoffError);
    }
  }

  /** Sends a signal to the program itself, and not to what it has started. */
  signal(signal: NodeJS.Signals): void {
    this.#child.signal(signal);
  }

  /** Ends it and everything that it has started, at once. */
  kill(): void {
    this.#child.signal('SIGKILL');
  }
}

function spawnProgram(plan: ProgramPlan, ready: ReadyPipe, notify: NotifyListener): Promise<Child> {
  const { listeners, convention, readyNumber, stderr, cwd } = plan;
  const passing = passToProgram({ listeners, convention, ready: ready.writer, readyNumber });
  const { command, args } = withListenPid(plan);
  const child = spawn(command, args, {
    cwd,
    env: { ...plan.env, ...passing.env, [notifySocketVariable]: notify.path },
    // spawn() clears close-on-exec in the child only.
    stdio: ['inherit', 'inherit', stderr, ...passing.stdio],
    // What a terminal or a supervisor says to this process's group is passed on by this process, and so comes once.
    detached: true,
  });
  return Child.of(child, 'own');
}

async function untilReady(
  { readiness, listeners }: ProgramPlan,
  child: Child,
  ready: ReadyPipe,
  notify: NotifyListener,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const exited = child.exited.then(({ code, signal: killer }): never => {
    const how = killer === null ? `with code ${code}` : `by ${killer}`;
    throw new HandoffError('ERR_HANDOFF_SUCCESSOR_EXITED', `The program (process ${child.pid}) exited ${how}.`);
  });
  const serving = async () => {
    switch (readiness.by) {
      case 'word':
        // One that closes descriptors it does not know has not failed by that: it may still say READY=1.
        await Promise.any([ready.ready(either), untilAborted(notify.ready, either)]).catch(() => {});
        if (!signal.aborted) return;
        throw signal.reason;
      case 'time':
        await delay(readiness.milliseconds, undefined, { signal: either });
        return;
      default:
        await askUntilServing(readiness, listeners, child.pid, either);
    }
  };
  try {
    await Promise.race([serving(), exited, untilAborted(new Promise<never>(() => {}), signal)]);
  } finally {
    over.abort();
  }
}

async function failure(child: Child, notify: NotifyListener, error: HandoffError): Promise<Error> {
  const exit = await child.terminate({ hangs: error.code !== 'ERR_HANDOFF_SUCCESSOR_EXITED' });
  if (!(error instanceof HandoffError)) return error;
  if (error.code === 'ERR_HANDOFF_SUCCESSOR_EXITED') {
    return SuccessorError.exited(programPart, child, exit, { code: error.code, before: 'it was ready', cause: error });
  }
  const status = notify.status === null ? '' : ` Its last status was "${notify.status}".`;
  return SuccessorError.ended(programPart, child, exit, new HandoffError(error.code, `${error.message}${status}`));
}

/** What was waited for, as messages say it. */
function saysOf(readiness: Readiness): string {
  switch (readiness.by) {
    case 'word':
      return 'it said neither READY=1 to its NOTIFY_SOCKET nor a newline to its ready descriptor';
    case 'tcp':
      return 'it accepted no connection';
    case 'http':
      return `it did not answer GET ${readiness.path} with a status below 400`;
    case 'time':
      return `it was to run for ${readiness.milliseconds} ms`;
  }
}
