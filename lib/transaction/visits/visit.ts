import { lstatSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Control } from '../../channel/control.ts';
import { abortReason } from '../../channel/deadline.ts';
import type { Frame, FrameName, JsonObject } from '../../channel/frame.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { OwnedFd } from '../../fd/owned-fd.ts';
import { peerCredentials } from '../../fd/peer-credentials.ts';
import { helloPayload, type Intent } from '../hello.ts';
import { connectTo } from '../path/control-path.ts';

/**
 * How often a path is tried whose owner goes away before it has answered: it commits at just that moment, and its
 * successor accepts on the same path. Every round means that a process has come or gone.
 */
const rounds = 10;

/**
 * How long before the next round, in milliseconds: a successor opens its control path within a few of the commit, and
 * until then the connection waits in the queue. The pause is for one that closes what it accepts at once.
 */
const roundInterval = 20;

/** What somebody can want who takes nothing over. */
export type Inquiry = Exclude<Intent, 'takeover' | 'share'>;

/** Somebody who has answered: its first frame, and the connection for those that follow. */
export interface Answered {
  /** The caller's to close. */
  readonly control: Control;
  readonly frame: Frame;
}

/**
 * Connects to the control path `path` and says HELLO with an intent that takes no descriptors; resolves with the first of
 * `expected` that is answered.
 *
 * @throws ENOENT, ECONNREFUSED, ENOTSOCK and EACCES where nobody is there, or it is not for this user;
 *   ERR_HANDOFF_UNTRUSTED_PEER where another user's process listens; what REFUSED says; ERR_HANDOFF_PROTOCOL for somebody
 *   who speaks something else; ERR_HANDOFF_PREDECESSOR_EXITED where it goes away in every round; the signal's reason
 */
export async function visit(
  path: string,
  intent: Inquiry,
  expected: FrameName,
  signal: AbortSignal,
  details: JsonObject = {},
): Promise<Answered> {
  for (let round = 1; ; round++) {
    const connection = await connect(path, signal);
    const { pid } = checkOwner(connection, path);
    const control = greet(connection, intent, details);
    control.peerPid = pid;
    try {
      return { control, frame: await control.expect([expected], signal) };
    } catch (error) {
      control.destroy();
      if (!(error instanceof HandoffError) || error.code !== 'ERR_HANDOFF_PREDECESSOR_EXITED') throw error;
      if (round === rounds) throw wentAway(path, pid, error);
    }
    await delay(roundInterval, undefined, { signal }).catch(() => {
      throw abortReason(signal);
    });
  }
}

/** Says HELLO, with an intent that takes no descriptors; `connection` is taken over. */
export function greet(connection: OwnedFd, intent: Inquiry, details: JsonObject = {}): Control {
  const control = Control.over(connection, 'predecessor');
  control.send('HELLO', helloPayload(intent, null, details));
  return control;
}

async function connect(path: string, signal: AbortSignal): Promise<OwnedFd> {
  try {
    const connection = await connectTo(path, signal);
    if (connection !== null) return connection;
  } catch (error) {
    throw unreachable(path, error as NodeJS.ErrnoException);
  }
  throw absent(path);
}

/** What is asked of a stranger is answered by a stranger; root may ask everybody, and believe them. */
function checkOwner(connection: OwnedFd, path: string): { pid: number } {
  const peer = peerCredentials(connection.fd);
  const user = process.geteuid?.();
  if (user === 0 || peer.uid === 0 || peer.uid === user) return peer;
  connection.close();
  throw new HandoffError(
    'ERR_HANDOFF_UNTRUSTED_PEER',
    `Process ${peer.pid} of user ${peer.uid} listens on ${path}: it is not asked, because its answer could not be believed. Run as that user, or as root.`,
  );
}

function absent(path: string): Error {
  const file = path.startsWith('@') ? undefined : lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined && !path.startsWith('@')) {
    return likeConnect(
      path,
      'ENOENT',
      `There is no control socket at ${path}: is the path right, and does the process run?`,
    );
  }
  if (file !== undefined && !file.isSocket()) {
    return likeConnect(path, 'ENOTSOCK', `${path} is not a socket: give the path of a control socket.`);
  }
  const left = path.startsWith('@')
    ? ''
    : ' The process that had it has left its file behind: start the program again.';
  return likeConnect(path, 'ECONNREFUSED', `Nobody listens on ${path}.${left}`);
}

function unreachable(path: string, error: NodeJS.ErrnoException): Error {
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    const message = `User ${process.geteuid?.()} may not connect to ${path}: ${whose(path)}. Run as that user, or as root.`;
    return likeConnect(path, error.code, message, error);
  }
  if (error.code === 'EPROTOTYPE') {
    return likeConnect(
      path,
      error.code,
      `${path} is a socket of another kind: give the path of a control socket.`,
      error,
    );
  }
  if (error.code === 'ENAMETOOLONG') {
    const message = `The path ${path} is longer than a socket's may be (107 bytes on Linux, 103 on macOS): give a relative one, from a nearer folder.`;
    return likeConnect(path, error.code, message, error);
  }
  return error;
}

function whose(path: string): string {
  try {
    return `the socket belongs to user ${lstatSync(path).uid}`;
  } catch {
    return "a folder on the way is another user's";
  }
}

/** In the form of what connect(2) says, with what it means here. */
function likeConnect(path: string, code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code, syscall: 'connect', path });
}

function wentAway(path: string, pid: number, cause: HandoffError): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_PREDECESSOR_EXITED',
    `Process ${pid} on ${path} closed the connection without an answer, ${rounds} times: is it a process with a control path at all?`,
    { cause },
  );
}
