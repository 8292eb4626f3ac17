import type { ChildProcess } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import type { SendingChannel } from '../channel/channel.ts';
import { Deadline } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { endFailed, firstWord } from '../meeting/meeting.ts';
import { SpawnedSuccessor, type Starter } from '../meeting/spawned-successor.ts';
import { sharingStreams } from '../process/output/shared-streams.ts';
import type { StderrPipe } from '../process/output/stderr-pipe.ts';
import type { Exit, Part } from '../process/start/child.ts';
import { environmentWithDebugger, withDebugger } from '../process/start/debugger-options.ts';
import { stderrReaderVariable, stderrVariable, workerVariable } from '../process/start/environment.ts';
import type { StartedScript } from '../process/start/start.ts';
import type { Hello } from '../transaction/hello.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';
import { abortPayload, makeOffer } from '../transaction/predecessor.ts';
import type { Reopenings } from '../transaction/reopenings.ts';
import type { Retirement } from '../transaction/successor.ts';

/** How a worker is started, and what it gets. */
export interface WorkerPlan extends StartedScript {
  /** Added to this process's environment as it is when the worker is started. */
  readonly env: NodeJS.ProcessEnv;
  /** How long it may take from its start to ready, in milliseconds. */
  readonly readyTimeout: number;
  readonly generation: number;
  /** The listeners that this process holds; borrowed. */
  readonly listeners: () => readonly NamedDescriptor[];
  /** What this process's standard error is meant to be, while 2 may lead to its predecessor; borrowed. */
  readonly stderr: () => number;
  /** Tells workers, and hears from them, that log files were renamed. */
  readonly reopenings: Reopenings;
}

/** Why a worker serves no more. */
export type Loss =
  /** It leaves by itself, as it was told by a signal or its application. */
  | 'leaves'
  /** Its process has ended. */
  | 'died';

const workerPart: Part = { name: 'worker', others: 'what serves already serves on' };

/**
 * How much longer than the drain that it was told a worker may take before it is killed, in milliseconds: its own
 * deadline cuts off what is left, its `onClose` hooks have ten seconds then, and its last output one.
 */
const leavingGrace = 12_000;

/** One process that the primary of a cluster has forked: ready, with copies of the primary's listeners. */
export class WorkerProcess {
  readonly pid: number;
  /** Settles, and never rejects, when it does not serve any more. */
  readonly lost: Promise<Loss>;
  readonly exited: Promise<Exit>;
  readonly #worker: Worker;
  readonly #channel: SendingChannel;
  readonly #readyAt = performance.now();

  private constructor(worker: Worker, spawned: SpawnedSuccessor) {
    this.#worker = worker;
    this.#channel = spawned.channel;
    this.pid = spawned.pid;
    this.exited = spawned.exited;
    void this.exited.then(() => this.#channel[Symbol.dispose]());
    this.lost = new Promise((resolve) => {
      this.#channel.control.on('RELEASED', () => resolve('leaves'));
      void this.exited.then(() => resolve('died'));
    });
  }

  /**
   * Forks a worker; resolves when it is ready. Rejects with the reason and the end of its standard error when it is not,
   * and it is gone then.
   */
  static async start(plan: WorkerPlan, outer: AbortSignal): Promise<WorkerProcess> {
    using deadline = Deadline.after(plan.readyTimeout, 'The worker was not ready', outer);
    const { signal } = deadline;
    const forked: { worker: Worker | null } = { worker: null };
    const { count } = plan.reopenings;
    const starter: Starter = (channel, stderr) => {
      forked.worker = sharingStreams(() => fork(plan, channel, stderr as StderrPipe));
      return forked.worker.process as ChildProcess;
    };
    const start = { command: plan.script, cwd: plan.cwd };
    const spawned = await SpawnedSuccessor.start(starter, start, workerPart, signal);
    const { channel } = spawned;
    try {
      const { features } = await offer(plan, spawned, signal);
      // First: it reads by itself as soon as it knows.
      spawned.stopReading();
      channel.control.send('COMMITTED', { drainTimeout: 0, mode: 'share' });
      plan.reopenings.join(channel.control, features, count);
      return new WorkerProcess(forked.worker as Worker, spawned);
    } catch (error) {
      channel.control.send('ABORT', abortPayload(error));
      void channel.end();
      throw await endFailed(spawned, error as Error);
    }
  }

  /** How long it has been ready, in milliseconds. */
  get served(): number {
    return performance.now() - this.#readyAt;
  }

  /** Tells it to leave. Resolves with how it ended; one that does not in time is killed. */
  async leave(retirement: Retirement): Promise<Exit> {
    // Programs that know node:cluster tell by this whether a worker went as it should.
    this.#worker.exitedAfterDisconnect = true;
    this.#channel.control.send('RETIRE', { ...retirement });
    const overdue = setTimeout(() => this.#worker.process.kill('SIGKILL'), retirement.timeout + leavingGrace);
    try {
      return await this.exited;
    } finally {
      clearTimeout(overdue);
    }
  }
}

/** Gives a worker what a process gets that shares; resolves with what it has said of itself when it is ready. */
async function offer(plan: WorkerPlan, spawned: SpawnedSuccessor, signal: AbortSignal): Promise<Hello> {
  const meeting = await firstWord(spawned, null, signal);
  if (meeting.how !== 'channel') throw new Error('a worker has no ready pipe but that of its offer');
  const { generation, readyTimeout, listeners } = plan;
  await makeOffer(
    meeting.candidate,
    {
      mode: 'share',
      generation,
      descriptors: listeners(),
      states: [],
      saveStates: async () => [],
      readyTimeout,
    },
    signal,
    () => {},
  );
  return meeting.candidate.hello;
}

/** Forks by `node:cluster`, whose settings are the application's: they are given back as they were. */
function fork(plan: WorkerPlan, channel: readonly number[], stderr: StderrPipe): Worker {
  const before = cluster.settings;
  const settings = {
    exec: plan.script,
    args: [...plan.args],
    cwd: plan.cwd,
    // Node gives each a port of its own (node:cluster counts on from the primary's); waiting for a debugger there would take
    // longer than it has.
    execArgv: withDebugger(before.execArgv ?? process.execArgv, 'without waiting'),
    // 3 is Node's own channel; 2 is a pipe to this process until the worker is ready, 6 what it is then, and 7 the pipe's
    // read end.
    stdio: ['inherit', 'inherit', stderr.writer, 'ipc', ...channel, plan.stderr(), stderr.reader],
  };
  cluster.setupPrimary(settings as object);
  try {
    const worker = cluster.fork({
      ...environmentWithDebugger({ ...process.env, ...plan.env }, 'without waiting'),
      [workerVariable]: '4,5',
      [stderrVariable]: '6',
      [stderrReaderVariable]: '7',
    });
    // A start that fails is told by the process; cluster tells it once more, and without a listener would end this one.
    worker.on('error', () => {});
    return worker;
  } finally {
    cluster.setupPrimary({ ...untouchedSettings(), ...before });
  }
}

/** What a fork has where the application has set up nothing. */
function untouchedSettings(): object {
  const [, exec, ...args] = process.argv;
  return { exec, args, cwd: undefined, stdio: undefined, execArgv: process.execArgv };
}

/** Throws where nothing can be forked by `node:cluster`. */
export function requirePrimary(what: string): void {
  if (cluster.isPrimary) return;
  throw new HandoffError(
    'ERR_HANDOFF_REFUSED',
    `${what} was called in a worker of process ${process.ppid}: call it there, in the cluster's primary.`,
  );
}
