import { type ChildProcess, spawn } from 'node:child_process';
import { SendingChannel } from '../channel/channel.ts';
import { Control } from '../channel/control.ts';
import { abortReason } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { socketPair } from '../fd/socket.ts';
import { sharingStreams } from '../process/output/shared-streams.ts';
import { relayToStandardError, StderrPipe } from '../process/output/stderr-pipe.ts';
import { Child, type Exit, notStarted, type Part } from '../process/start/child.ts';
import {
  channelVariable,
  firstInherited,
  listenFdNamesVariable,
  listenFdsVariable,
  ordinalVariable,
  readyVariable,
  stderrReaderVariable,
  stderrVariable,
} from '../process/start/environment.ts';
import type { Launch } from '../process/start/launch.ts';
import { withListenPid } from '../process/start/listen-pid.ts';
import type { Start } from '../process/start/start.ts';
import { SuccessorError } from '../process/start/successor-error.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';

export interface SpawnOptions extends Launch {
  /**
   * `capture`: the end of its standard error is kept until commit, when the library in it takes its own back.
   * `inherit`: for programs that do not use this library, and would lose it when this process leaves.
   */
  readonly stderr: 'capture' | 'inherit';
  /** Which of its calls of `handoff()` is to take over from the one that spawns it, from 0. */
  readonly ordinal?: number;
  /** For a program that may not use this library: what it needs to serve, and to say that it does. Borrowed. */
  readonly program: ProgramInheritance | null;
}

/** What a program that knows nothing of this library inherits by number. */
export interface ProgramInheritance {
  readonly listeners: readonly NamedDescriptor[];
  /** The write end of a ready pipe. */
  readonly ready: number;
}

const successorPart: Part = { name: 'successor', others: 'this process serves on' };

/**
 * Starts a child that inherits both connections, its ends of which are given, and the pipe for its standard error, where it
 * is to have one; all is borrowed.
 */
export type Starter = (channel: readonly [control: number, lane: number], stderr: StderrPipe | null) => ChildProcess;

/** A successor that this process has spawned: the channel to it, and its life as a child. */
export class SpawnedSuccessor {
  readonly channel: SendingChannel;
  readonly #child: Child;
  readonly #part: Part;
  /** Of the pipe that its standard error is; null where that is this process's own. */
  readonly #reader: OwnedFd | null;

  private constructor(child: Child, channel: SendingChannel, part: Part, reader: OwnedFd | null) {
    this.#child = child;
    this.channel = channel;
    this.#part = part;
    this.#reader = reader;
    // What it has started may go on, and write.
    void child.exited.then(() => this.#letGoOfStderr(child.isReadToTheEnd ? 'somebody else' : 'a relay'));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Settles, and never rejects, when the child has exited and its standard error is read. */
  get exited(): Promise<Exit> {
    return this.#child.exited;
  }

  /** Starts the program. Rejects with ERR_HANDOFF_EXEC_FAILED when there is nothing to start. */
  static spawn(options: SpawnOptions, signal: AbortSignal): Promise<SpawnedSuccessor> {
    const starter: Starter = (channel, stderr) => {
      const { command, args, env, descriptors } = commandLine(options, channel, stderr);
      const start = () =>
        spawn(command, args, {
          cwd: options.cwd,
          env,
          // spawn() clears close-on-exec in the child only. To do it here would let anything else that this process starts
          // in the meantime inherit the connections.
          stdio: ['inherit', 'inherit', stderr?.writer ?? 'inherit', ...descriptors],
        });
      return options.program === null ? sharingStreams(start) : start();
    };
    return SpawnedSuccessor.start(starter, options, successorPart, signal, options.stderr);
  }

  /**
   * Starts a child in another way than as a program of its own. Rejects with ERR_HANDOFF_EXEC_FAILED when there is nothing
   * to start.
   */
  static async start(
    starter: Starter,
    start: Pick<Start, 'command' | 'cwd'>,
    part: Part,
    signal: AbortSignal,
    stderr: SpawnOptions['stderr'] = 'capture',
  ): Promise<SpawnedSuccessor> {
    if (signal.aborted) throw abortReason(signal);
    const [control, childsControl] = ownedPair('the control connection to the successor');
    const [lane, childsLane] = ownedPairOr(() => {
      control.close();
      childsControl.close();
    });
    let reader: OwnedFd | null = null;
    try {
      using pipe = stderr === 'capture' ? new StderrPipe() : null;
      const started = starter([childsControl.fd, childsLane.fd], pipe);
      const child = await Child.of(started, 'of its parent', pipe?.stream() ?? null);
      reader = pipe === null ? null : OwnedFd.dup(pipe.reader, 'the read end of the pipe for standard error');
      const channel = new SendingChannel(Control.over(control, 'successor'), lane);
      channel.control.peerPid = child.pid;
      return new SpawnedSuccessor(child, channel, part, reader);
    } catch (error) {
      control.close();
      lane.close();
      reader?.close();
      throw error instanceof HandoffError ? error : notStarted(part, error, start);
    } finally {
      childsControl.close();
      childsLane.close();
    }
  }

  /**
   * Lets it go on by itself: this process may leave before it, and hears no more of its standard error.
   *
   * @param library whether it uses this library, which takes its own standard error back
   */
  detach({ library }: { readonly library: boolean }): void {
    this.#child.detach();
    this.#letGoOfStderr(library ? 'somebody else' : 'a relay');
  }

  /** It is ready, and reads by itself what is still to come by the pipe. */
  stopReading(): void {
    this.#letGoOfStderr('somebody else');
  }

  #letGoOfStderr(readBy: 'somebody else' | 'a relay'): void {
    const reader = this.#reader;
    if (reader === null || reader.closed) return;
    this.#child.stopReading();
    if (readBy === 'somebody else') reader.close();
    else relayToStandardError(reader);
  }

  /**
   * Ends a successor that has failed, and waits until it is gone, so that neither a zombie nor a listener is left.
   *
   * @param hangs it is known not to leave by itself
   */
  terminate(how: { hangs: boolean }): Promise<Exit> {
    return this.#child.terminate(how);
  }

  /** The error for a child that has exited: its status and the end of what it wrote to standard error. */
  failure(exit: Exit, cause: unknown): SuccessorError {
    const what = { code: 'ERR_HANDOFF_SUCCESSOR_EXITED', before: 'it was ready', cause } as const;
    return SuccessorError.exited(this.#part, this.#child, exit, what);
  }

  /** Adds to `error`, which has another cause than the exit, what is known of the child. */
  annotate(error: HandoffError, exit: Exit): SuccessorError {
    return SuccessorError.ended(this.#part, this.#child, exit, error);
  }
}

/** The second pair; `undo` closes the first where there is no room for it. */
function ownedPairOr(undo: () => void): [OwnedFd, OwnedFd] {
  try {
    return ownedPair('the lane to the successor');
  } catch (error) {
    undo();
    throw error;
  }
}

function ownedPair(purpose: string): [OwnedFd, OwnedFd] {
  const [ours, theirs] = socketPair();
  return [new OwnedFd(ours, purpose), new OwnedFd(theirs, purpose)];
}

interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The child's descriptors from `firstInherited` on, in their order. */
  readonly descriptors: number[];
}

/** Numbers what the child inherits, and tells it the numbers. */
function commandLine(
  options: SpawnOptions,
  channel: readonly [control: number, lane: number],
  stderr: StderrPipe | null,
): CommandLine {
  const { program } = options;
  const listeners = program?.listeners ?? [];
  const descriptors = [...listeners.map(({ fd }) => fd), ...channel];
  const numberOf = (index: number) => String(firstInherited + listeners.length + index);
  const env: NodeJS.ProcessEnv = { ...options.env, [channelVariable]: `${numberOf(0)},${numberOf(1)}` };
  if (options.ordinal !== undefined && options.ordinal > 0) env[ordinalVariable] = String(options.ordinal);
  if (stderr !== null) {
    env[stderrVariable] = numberOf(descriptors.push(2) - 1 - listeners.length);
    env[stderrReaderVariable] = numberOf(descriptors.push(stderr.reader) - 1 - listeners.length);
  }
  if (program === null) return { command: options.command, args: options.args, env, descriptors };
  env[readyVariable] = numberOf(descriptors.push(program.ready) - 1 - listeners.length);
  env[listenFdsVariable] = String(listeners.length);
  env[listenFdNamesVariable] = listeners.map(({ name }) => name).join(':');
  return { ...withListenPid(options), env, descriptors };
}
