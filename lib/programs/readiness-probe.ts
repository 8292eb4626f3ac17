import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { abortReason, untilAborted } from '../channel/deadline.ts';
import { describe } from '../fd/describe.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';
import { acceptanceOf } from './accepting-process.ts';
import type { Asked, Readiness } from './readiness.ts';

/**
 * How long is waited between two looks, in milliseconds: a start takes ten times that at least, and a look at all the
 * connections of a busy machine takes a few milliseconds itself.
 */
const lookInterval = 50;

/** How long an answer may take, in milliseconds; longer ones are for the next request, which finds the program warm. */
const answerTimeout = 5_000;

type Asking = Extract<Readiness, { readonly by: 'tcp' | 'http' }>;

interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Whether others accept there, too, so that one has to look who did. */
  readonly shared: boolean;
}

/**
 * Asks a program until it serves: by connecting, and by a request where that is wanted. On a listener that it shares with
 * its predecessor most questions reach that one, whose answer says nothing: only a connection that a process of the
 * program's session has accepted counts. The request is sent in two parts, so that whoever has accepted it still holds it
 * when that is looked at.
 *
 * @param listeners what the program has; borrowed
 * @param session the id of the program's session
 * @throws ERR_HANDOFF_REFUSED where there is no TCP listener to ask on, ERR_HANDOFF_UNSUPPORTED_PLATFORM where nobody can
 *   tell who has accepted, the signal's reason
 */
export async function askUntilServing(
  asking: Asking,
  listeners: readonly NamedDescriptor[],
  session: number,
  signal: AbortSignal,
): Promise<void> {
  const endpoint = endpointOf(asking.asked, listeners);
  for (;;) {
    if (signal.aborted) throw abortReason(signal);
    if (await ask(asking, endpoint, session, signal)) return;
    await delay(lookInterval);
  }
}

function endpointOf(asked: Asked, listeners: readonly NamedDescriptor[]): Endpoint {
  if (asked.at === 'address') return { host: asked.host, port: asked.port, shared: false };
  for (const { fd } of listeners) {
    const description = describe(fd);
    if (description.kind !== 'socket' || description.type !== 'stream' || description.port === undefined) continue;
    const { address = '', port } = description;
    const any: Readonly<Record<string, string>> = {
      '0.0.0.0': '127.0.0.1',
      '::': description.ipv6Only === true ? '::1' : '127.0.0.1',
    };
    return { host: any[address] ?? address, port, shared: true };
  }
  throw new HandoffError(
    'ERR_HANDOFF_REFUSED',
    'The program has no TCP listener on which it could be asked whether it serves: give an address of its own (http://127.0.0.1:9000/path), or have it say so.',
  );
}

/** Whether the program has answered this time. */
async function ask(asking: Asking, endpoint: Endpoint, session: number, signal: AbortSignal): Promise<boolean> {
  const { host, port, shared } = endpoint;
  const socket = net.connect({ host, port });
  const failed = new Promise<false>((resolve) => {
    socket.once('error', () => resolve(false)).once('close', () => resolve(false));
  });
  try {
    const connected = new Promise<true>((resolve) => {
      socket.once('connect', () => resolve(true));
    });
    if (!(await untilAborted(Promise.race([connected, failed]), signal))) return false;
    const [start, rest] = asking.by === 'http' ? request(asking.path, host, port) : ['', ''];
    socket.write(start);
    if (shared && !(await isAcceptedBy(session, socket, signal))) return false;
    if (asking.by === 'tcp') return true;
    socket.write(rest);
    const status = statusOf(socket);
    const late = delay(answerTimeout, null, { ref: false });
    const answer = await untilAborted(Promise.race([status, failed, late]), signal);
    return typeof answer === 'number' && answer < 400;
  } finally {
    socket.destroy();
  }
}

/** Waits until somebody has accepted: whether that was a process of the session. */
async function isAcceptedBy(session: number, socket: net.Socket, signal: AbortSignal): Promise<boolean> {
  for (;;) {
    const { localPort, remotePort } = socket;
    if (signal.aborted) throw abortReason(signal);
    if (socket.destroyed || localPort === undefined || remotePort === undefined) return false;
    const acceptance = acceptanceOf({ localPort, remotePort }, session);
    if (acceptance === null) {
      throw new HandoffError(
        'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
        `Who has accepted a connection cannot be told on ${process.platform}, and a predecessor may answer for the program: give an address of the program's own (http://127.0.0.1:9000/path), or have it say that it is ready.`,
      );
    }
    if (acceptance !== 'nobody') return acceptance === 'session';
    await delay(lookInterval);
  }
}

function request(path: string, host: string, port: number): [start: string, rest: string] {
  const authority = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
  return [`GET ${path} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: fd-handoff\r\n`, 'Connection: close\r\n\r\n'];
}

/** The status of the answer; never settles where none comes. */
function statusOf(socket: net.Socket): Promise<number> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
      if (status !== undefined) resolve(Number(status));
    });
  });
}
