import { close, setCloseOnExec } from '../../fd/descriptor.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { OwnedFd } from '../../fd/owned-fd.ts';

/** The number of a descriptor whose file says what survived an exec: this process is its own predecessor. */
export const reexecVariable = 'FD_HANDOFF_REEXEC';

/** `<control fd>,<lane fd>`: this process was spawned by its predecessor's `upgrade()`. */
export const channelVariable = 'FD_HANDOFF_CHANNEL';

/**
 * For which call of `handoff()` the channel is, counted from 0, in a process that has several; 0 where it is not set. The
 * others take over by their control paths.
 */
export const ordinalVariable = 'FD_HANDOFF_ORDINAL';

/** The same for a process that its cluster's primary has forked, by `workers()`. */
export const workerVariable = 'FD_HANDOFF_WORKER';

/** The number of the descriptor that standard error really is, while descriptor 2 is a pipe to the predecessor. */
export const stderrVariable = 'FD_HANDOFF_STDERR';

/** The number of the read end of that pipe, for what is still to come by it when the predecessor has stopped reading. */
export const stderrReaderVariable = 'FD_HANDOFF_STDERR_READER';

/** The control path of a process that somebody else looks after, in place of the one that its program gives. */
export const controlVariable = 'FD_HANDOFF_CONTROL';

/**
 * The first number after standard input, output and error: where listeners start, as sd_listen_fds(3) has it
 * (SD_LISTEN_FDS_START).
 */
export const firstInherited = 3;

/**
 * What a program gets that may not use this library: `sd_listen_fds(3)`'s variables, and the number of the write end of
 * the ready pipe.
 */
export const listenFdsVariable = 'LISTEN_FDS';
export const listenFdNamesVariable = 'LISTEN_FDNAMES';
export const listenPidVariable = 'LISTEN_PID';
export const readyVariable = 'FD_HANDOFF_READY_FD';

/**
 * The number of a connected stream socket to the process that rehearses its next version: this one is not to serve, but to
 * show that it could. It is the write end of a ready pipe; what can be read of it is an introduction, and its end says that
 * the other process is gone.
 */
export const preflightVariable = 'FD_HANDOFF_PREFLIGHT';

/**
 * The channel that `fork()` gives a child of Node's, and the place of a `node:cluster` worker. Node removes them from
 * `process.env` when it has read them.
 */
export const nodeChannelVariable = 'NODE_CHANNEL_FD';
export const nodeChannelModeVariable = 'NODE_CHANNEL_SERIALIZATION_MODE';
const nodeWorkerVariable = 'NODE_UNIQUE_ID';

/** By which a watching Node (`--watch`) has its child tell it, over that channel, which files it has loaded. */
const nodeWatchVariable = 'WATCH_REPORT_DEPENDENCIES';

/** Whoever has started this process was forked, and this one was not: what it says to its parent is heard by nobody. */
export const silentParentVariable = 'FD_HANDOFF_SILENT_PARENT';

/**
 * The variables that tell one process, and no other that has them, about its descriptors or its number: in another one the
 * descriptor is something else, or the number somebody else's.
 */
export const forOneProcess: readonly string[] = [
  reexecVariable,
  channelVariable,
  ordinalVariable,
  workerVariable,
  stderrVariable,
  stderrReaderVariable,
  readyVariable,
  preflightVariable,
  listenFdsVariable,
  listenFdNamesVariable,
  listenPidVariable,
  'LISTEN_PIDFDID',
  'WATCHDOG_PID',
  silentParentVariable,
  nodeChannelVariable,
  nodeChannelModeVariable,
  nodeWorkerVariable,
  nodeWatchVariable,
];

/** The names that were taken from `process.env`; whoever has taken one passes it on by itself, if it is to be passed on. */
const taken = new Set<string>();

/** Reads and removes a variable: what this process starts would take it for its own. */
export function takeVariable(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = environment[name];
  delete environment[name];
  if (environment === process.env) taken.add(name);
  return value;
}

/** Whether a variable of the start was taken by this library. */
export function wasTaken(name: string): boolean {
  return taken.has(name);
}

/** What standard error really is, and the read end of what it is meanwhile; null where that was not given. */
export interface InheritedStderr {
  readonly real: OwnedFd;
  readonly reader: OwnedFd | null;
}

/** What a spawned successor inherits from its predecessor. */
export interface InheritedChannel {
  readonly control: OwnedFd;
  readonly lane: OwnedFd;
  readonly stderr: InheritedStderr | null;
}

/** A channel that was read, and the call of `handoff()` that it is for has not come yet. */
let waiting: { readonly ordinal: number; readonly channel: InheritedChannel } | null = null;

/**
 * The connections to the process that spawned this one, for the call of `handoff()` with that number; null where nobody
 * spawned it, or they are for another call. The variables are removed as soon as they are read: a helper that this process
 * starts would believe that it had a predecessor, and block or fail.
 */
export function takeInheritedChannel(
  environment: NodeJS.ProcessEnv = process.env,
  ordinal = 0,
): InheritedChannel | null {
  const intended = takeVariable(environment, ordinalVariable) ?? '0';
  const read = readInheritedChannel(environment);
  if (read !== null) waiting = { ordinal: parseNumber(ordinalVariable, intended), channel: read };
  if (waiting?.ordinal !== ordinal) return null;
  const { channel } = waiting;
  waiting = null;
  return channel;
}

function readInheritedChannel(environment: NodeJS.ProcessEnv): InheritedChannel | null {
  const channel = takeVariable(environment, channelVariable);
  const stderr = takeVariable(environment, stderrVariable);
  const reader = takeVariable(environment, stderrReaderVariable);
  if (channel === undefined) return null;
  closeProgramDescriptors(environment);
  return ownChannel(channelVariable, channel, stderr, reader);
}

/** The connections to the primary that has forked this process; null where it was forked by something else. */
export function takeWorkerChannel(environment: NodeJS.ProcessEnv = process.env): InheritedChannel | null {
  const channel = takeVariable(environment, workerVariable);
  const stderr = takeVariable(environment, stderrVariable);
  const reader = takeVariable(environment, stderrReaderVariable);
  return channel === undefined ? null : ownChannel(workerVariable, channel, stderr, reader);
}

function ownChannel(
  variable: string,
  channel: string,
  stderr: string | undefined,
  reader: string | undefined,
): InheritedChannel {
  const [control, lane, ...rest] = channel.split(',').map((text) => parseNumber(variable, text));
  if (control === undefined || lane === undefined || rest.length > 0) throw malformed(variable, channel);
  const owned: OwnedFd[] = [];
  const take = (name: string, value: string, fd: number, purpose: string) => {
    try {
      const descriptor = own(fd, purpose);
      owned.push(descriptor);
      return descriptor;
    } catch (error) {
      for (const descriptor of owned) descriptor.close();
      throw malformed(name, value, error);
    }
  };
  return {
    control: take(variable, channel, control, 'the control connection to the predecessor'),
    lane: take(variable, channel, lane, 'the lane from the predecessor'),
    stderr:
      stderr === undefined
        ? null
        : {
            real: take(stderrVariable, stderr, parseNumber(stderrVariable, stderr), 'the real standard error'),
            reader:
              reader === undefined
                ? null
                : take(
                    stderrReaderVariable,
                    reader,
                    parseNumber(stderrReaderVariable, reader),
                    'the read end of the pipe for standard error',
                  ),
          },
  };
}

/** The number in the variable of a rehearsal; null where this process is none. */
export function readPreflight(environment: NodeJS.ProcessEnv): number | null {
  const value = environment[preflightVariable];
  return value === undefined ? null : parseNumber(preflightVariable, value);
}

/**
 * Removes every variable by which a process finds a predecessor: a rehearsal has none, and a helper that it starts would
 * believe that it had one.
 */
export function forgetPredecessors(environment: NodeJS.ProcessEnv): void {
  for (const name of [
    preflightVariable,
    reexecVariable,
    channelVariable,
    ordinalVariable,
    workerVariable,
    stderrVariable,
    stderrReaderVariable,
    readyVariable,
  ]) {
    delete environment[name];
  }
}

/**
 * Closes what a program without this library would have served with. The same listeners come over the lane, verified;
 * and a write end of the ready pipe that stays open here would keep the predecessor from seeing this process fail.
 */
function closeProgramDescriptors(environment: NodeJS.ProcessEnv): void {
  const ready = takeVariable(environment, readyVariable);
  const count = takeVariable(environment, listenFdsVariable);
  delete environment[listenFdNamesVariable];
  delete environment[listenPidVariable];
  if (ready === undefined) return;
  close(parseNumber(readyVariable, ready));
  const listeners = parseNumber(listenFdsVariable, count ?? '0');
  for (let fd = 3; fd < 3 + listeners; fd++) close(fd);
}

function parseNumber(variable: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw malformed(variable, text);
  return Number(text);
}

/** Inherited descriptors come without close-on-exec: it was cleared for this process, not for the ones it starts. */
function own(fd: number, purpose: string): OwnedFd {
  setCloseOnExec(fd, true);
  return new OwnedFd(fd, purpose);
}

export function malformed(variable: string, value: string, cause?: unknown): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_PROTOCOL',
    `The environment variable ${variable} is "${value}", which is not what a predecessor sets. Was it set by hand?`,
    { cause },
  );
}
