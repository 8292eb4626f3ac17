import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import net from 'node:net';
import { resolve } from 'node:path';
import { SendingChannel } from '../channel/channel.ts';
import { Control } from '../channel/control.ts';
import { untilAborted } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { socketPair } from '../fd/socket.ts';
import type { NamedDescriptor } from '../handoff/manifest.ts';
import {
  channelVariable,
  listenFdNamesVariable,
  listenFdsVariable,
  listenPidVariable,
  ordinalVariable,
  readyVariable,
  stderrVariable,
} from './environment.ts';
import type { Start } from './start.ts';

/**
 * How long a successor that has failed may take to leave after SIGTERM before it is killed. It has been told by ABORT,
 * serves nobody, and holds copies of our listeners; what it still wants to do (write a log, close a database) is done in
 * two seconds, and one that hangs gains nothing from more.
 */
const terminationGrace = 2_000;

/** How much of a failed successor's standard error is kept for the message: a stack trace or two. */
const stderrTailLength = 4 * 1024;

/**
 * How long a successor that has failed by itself may take to exit by itself. It is writing its reason to standard error,
 * which is what the operator wants to read, and is done in milliseconds.
 */
const ownExitGrace = 500;

/** The first descriptor number after standard input, output and error: where listeners start, as systemd has it. */
const firstInherited = 3;

/** How the process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnOptions extends Start {
  readonly env: NodeJS.ProcessEnv;
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

/** What messages call a child that this process has started, and who serves where it fails. */
export interface Part {
  readonly name: string;
  readonly others: string;
}

const successorPart: Part = { name: 'successor', others: 'this process serves on' };

/** Starts a child that inherits both connections, its ends of which are given; they are borrowed. */
export type Launch = (channel: readonly [control: number, lane: number]) => ChildProcess;

/** A successor that this process has spawned: the channel to it, and its life as a child. */
export class SpawnedSuccessor {
  readonly pid: number;
  readonly channel: SendingChannel;
  /** Settles, and never rejects, when the child has exited and its standard error is read. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #stderr: StderrTail;
  readonly #part: Part;

  private constructor(child: ChildProcess, pid: number, channel: SendingChannel, stderr: StderrTail, part: Part) {
    this.#child = child;
    this.pid = pid;
    this.channel = channel;
    this.#stderr = stderr;
    this.#part = part;
    this.exited = new Promise((resolve) => {
      // 'close' comes after 'exit' and after the end of standard error. A grandchild can hold that open for good, so the
      // exit alone has to do after a moment; what the child itself wrote is in the pipe by then.
      child.once('exit', (code, signal) => {
        const exit: Exit = { code, signal };
        const enough = setTimeout(resolve, 200, exit);
        child.once('close', () => {
          clearTimeout(enough);
          resolve(exit);
        });
      });
    });
  }

  /** Starts the program. Rejects with ERR_HANDOFF_EXEC_FAILED when there is nothing to start. */
  static spawn(options: SpawnOptions, signal: AbortSignal): Promise<SpawnedSuccessor> {
    const launch: Launch = (channel) => {
      const { file, args, env, descriptors } = commandLine(options, channel);
      return spawn(file, args, {
        cwd: options.cwd,
        env,
        // spawn() clears close-on-exec in the child only. To do it here would let anything else that this process starts
        // in the meantime inherit the connections.
        stdio: ['inherit', 'inherit', options.stderr === 'capture' ? 'pipe' : 'inherit', ...descriptors],
      });
    };
    return SpawnedSuccessor.launch(launch, options, successorPart, signal);
  }

  /**
   * Starts a child in another way than as a program of its own. Rejects with ERR_HANDOFF_EXEC_FAILED when there is nothing
   * to start.
   */
  static async launch(
    launch: Launch,
    start: Pick<Start, 'command' | 'cwd'>,
    part: Part,
    signal: AbortSignal,
  ): Promise<SpawnedSuccessor> {
    const [control, childsControl] = ownedPair('the control connection to the successor');
    const [lane, childsLane] = ownedPairOr(() => {
      control.close();
      childsControl.close();
    });
    let child: ChildProcess | null = null;
    try {
      child = launch([childsControl.fd, childsLane.fd]);
      // Besides a failed start this tells of a signal that could not be sent, to a child that has become another user.
      child.on('error', () => {});
      const stderr = new StderrTail(child);
      await untilAborted(started(child, start, part), signal);
      const channel = new SendingChannel(new Control(new net.Socket({ fd: control.release() }), 'successor'), lane);
      channel.control.peerPid = child.pid as number;
      return new SpawnedSuccessor(child, child.pid as number, channel, stderr, part);
    } catch (error) {
      child?.kill('SIGKILL');
      control.close();
      lane.close();
      throw error instanceof HandoffError ? error : notStarted(error as Error, start, part);
    } finally {
      childsControl.close();
      childsLane.close();
    }
  }

  /** Lets it go on by itself: this process may leave before it, and hears no more of its standard error. */
  detach(): void {
    this.#stderr.detach();
    this.#child.unref();
  }

  /**
   * Ends a successor that has failed, and waits until it is gone, so that neither a zombie nor a listener is left.
   *
   * @param hangs it is known not to leave by itself
   */
  async terminate({ hangs }: { hangs: boolean }): Promise<Exit> {
    const timers = [
      setTimeout(() => this.#child.kill('SIGTERM'), hangs ? 0 : ownExitGrace),
      // A stopped process does not act on SIGTERM.
      setTimeout(() => this.#child.kill('SIGKILL'), terminationGrace),
    ];
    try {
      return await this.exited;
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }

  /** The error for a child that has exited: its status and the end of what it wrote to standard error. */
  failure(exit: Exit, cause: unknown): SuccessorError {
    const status = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
    const tail = this.#stderr.text.trimEnd();
    const said = tail === '' ? '' : ` Its standard error ended with:\n${tail}`;
    const { name, others } = this.#part;
    return new SuccessorError(
      `The ${name} (process ${this.pid}) exited ${status} before it was ready; ${others}.${said}`,
      { cause, pid: this.pid, exit, stderr: tail },
    );
  }

  /** Adds to `error`, which has another cause than the exit, what is known of the child. */
  annotate(error: HandoffError, exit: Exit): SuccessorError {
    const tail = this.#stderr.text.trimEnd();
    const said = tail === '' ? '' : ` Its standard error ended with:\n${tail}`;
    const { name, others } = this.#part;
    return new SuccessorError(`${error.message} The ${name} (process ${this.pid}) was ended; ${others}.${said}`, {
      code: error.code,
      cause: error,
      pid: this.pid,
      exit,
      stderr: tail,
    });
  }
}

/** A failed `upgrade()`: besides the reason, what is known of the child that failed. */
export class SuccessorError extends HandoffError {
  /** The process id of the successor that failed. */
  readonly pid: number;
  /** Its exit code; null where a signal ended it. */
  readonly exitCode: number | null;
  /** The signal that ended it; null where it exited by itself. */
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote to standard error, 4 KiB at most. */
  readonly stderr: string;

  constructor(
    message: string,
    details: { code?: HandoffError['code']; cause: unknown; pid: number; exit: Exit; stderr: string },
  ) {
    super(details.code ?? 'ERR_HANDOFF_SUCCESSOR_EXITED', message, { cause: details.cause });
    this.pid = details.pid;
    this.exitCode = details.exit.code;
    this.signal = details.exit.signal;
    this.stderr = details.stderr;
  }
}

/** Keeps the end of a child's standard error, and passes all of it on to our own. */
class StderrTail {
  readonly #stream: NodeJS.ReadableStream | null;
  #tail = '';

  constructor(child: ChildProcess) {
    this.#stream = child.stderr;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text);
      this.#tail = (this.#tail + text).slice(-stderrTailLength);
    });
  }

  get text(): string {
    return this.#tail;
  }

  /** The child has its own back; the pipe lives until the last holder closes it, but nobody waits for that. */
  detach(): void {
    (this.#stream as net.Socket | null)?.unref();
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
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The child's descriptors from `firstInherited` on, in their order. */
  readonly descriptors: number[];
}

/** Numbers what the child inherits, and tells it the numbers. */
function commandLine(options: SpawnOptions, channel: readonly [control: number, lane: number]): CommandLine {
  const { program } = options;
  const listeners = program?.listeners ?? [];
  const descriptors = [...listeners.map(({ fd }) => fd), ...channel];
  const numberOf = (index: number) => String(firstInherited + listeners.length + index);
  const env: NodeJS.ProcessEnv = { ...options.env, [channelVariable]: `${numberOf(0)},${numberOf(1)}` };
  if (options.ordinal !== undefined && options.ordinal > 0) env[ordinalVariable] = String(options.ordinal);
  if (options.stderr === 'capture') env[stderrVariable] = numberOf(descriptors.push(2) - 1 - listeners.length);
  if (program === null) return { file: options.command, args: options.args, env, descriptors };
  env[readyVariable] = numberOf(descriptors.push(program.ready) - 1 - listeners.length);
  env[listenFdsVariable] = String(listeners.length);
  env[listenFdNamesVariable] = listeners.map(({ name }) => name).join(':');
  return {
    // Only the child knows its process id, and a program that follows sd_listen_fds(3) takes nothing without it. The
    // shell has the id that the program keeps, because it execs.
    file: '/bin/sh',
    args: ['-c', `${listenPidVariable}=$$ exec "$0" "$@"`, executable(options), ...options.args],
    env,
    descriptors,
  };
}

/** The path of the program, found as execvp(3) would; throws ENOENT where there is none: a shell would say so too late. */
function executable({ command, env, cwd }: SpawnOptions): string {
  const folders = command.includes('/') ? [''] : (env.PATH ?? '/usr/bin:/bin').split(':');
  for (const folder of folders) {
    const path = resolve(cwd, folder, command);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not here: the next folder.
    }
  }
  throw Object.assign(new Error(`spawn ${command} ENOENT`), { code: 'ENOENT' });
}

function started(child: ChildProcess, start: Pick<Start, 'command' | 'cwd'>, part: Part): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(notStarted(error, start, part)));
  });
}

/** Names the working directory too: spawn() reports a missing one as a missing program. */
function notStarted(error: Error, { command, cwd }: Pick<Start, 'command' | 'cwd'>, part: Part): HandoffError {
  const others = part.others.replace(/^./, (letter) => letter.toUpperCase());
  return new HandoffError(
    'ERR_HANDOFF_EXEC_FAILED',
    `The ${part.name} could not be started: ${error.message} (program ${command}, working directory ${cwd}). ${others}.`,
    { cause: error },
  );
}
