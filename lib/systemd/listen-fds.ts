import { setCloseOnExec } from '../fd/descriptor.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import {
  firstInherited,
  listenFdNamesVariable,
  listenFdsVariable,
  listenPidVariable,
  takeVariable,
} from '../process/start/environment.ts';

/** Since systemd 258 the process is named by the inode of its pidfd as well. */
const listenPidfdIdVariable = 'LISTEN_PIDFDID';

/** The name of a descriptor that was given none. sd_listen_fds_with_names(3). */
const unnamed = 'unknown';

/** A descriptor that a service manager gave this process at its start. */
export interface PassedDescriptor {
  /** `FileDescriptorName=` of a socket unit (its own name by default), or `FDNAME` of a stored one; not unique. */
  readonly name: string;
  readonly descriptor: OwnedFd;
  /** Whether whoever has passed it keeps a copy, so that it outlives this process; true by default. */
  readonly kept?: boolean;
}

/**
 * Takes the descriptors that systemd, or whoever speaks the same, has passed to this process; none where nobody has, or
 * where they were meant for another process. sd_listen_fds_with_names(3).
 *
 * The variables are removed at once, whatever they say, and every descriptor gets close-on-exec: what this process starts
 * would take them for its own.
 *
 * @throws ERR_HANDOFF_PROTOCOL where the variables are malformed, where there are more or fewer names than descriptors,
 *   which are closed then, or where one of them is not open
 */
export function takePassedDescriptors(environment: NodeJS.ProcessEnv = process.env): PassedDescriptor[] {
  const pid = takeVariable(environment, listenPidVariable);
  const count = takeVariable(environment, listenFdsVariable);
  const names = takeVariable(environment, listenFdNamesVariable);
  delete environment[listenPidfdIdVariable];
  if (pid === undefined || count === undefined) return [];
  // An ancestor's, which has not removed them.
  if (readNumber(listenPidVariable, pid) !== process.pid) return [];
  const descriptors = own(readNumber(listenFdsVariable, count));
  // Without any descriptor there is no name; splitting an empty text would find one.
  const list = names === undefined ? descriptors.map(() => unnamed) : descriptors.length === 0 ? [] : names.split(':');
  if (list.length !== descriptors.length) {
    for (const descriptor of descriptors) descriptor.close();
    throw new HandoffError(
      'ERR_HANDOFF_PROTOCOL',
      `${listenFdNamesVariable} is "${names}", ${list.length} names, and ${listenFdsVariable} is ${count}: there must be as many names as descriptors, with colons between them.`,
    );
  }
  return descriptors.map((descriptor, index) => ({ name: list[index] as string, descriptor }));
}

function readNumber(variable: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new HandoffError(
    'ERR_HANDOFF_PROTOCOL',
    `The environment variable ${variable} is "${text}", which is no number. Was it set by hand?`,
  );
}

function own(count: number): OwnedFd[] {
  const descriptors: OwnedFd[] = [];
  try {
    for (let fd = firstInherited; fd < firstInherited + count; fd++) {
      setCloseOnExec(fd, true);
      descriptors.push(new OwnedFd(fd, 'a descriptor of the service manager'));
    }
    return descriptors;
  } catch (error) {
    const missing = firstInherited + descriptors.length;
    // Not closed: with a count that is wrong nobody knows which of them are the runtime's own.
    for (const descriptor of descriptors) descriptor.release();
    throw new HandoffError(
      'ERR_HANDOFF_PROTOCOL',
      `${listenFdsVariable} is ${count}, and descriptor ${missing} is not open. Was it set by hand?`,
      { cause: error },
    );
  }
}
