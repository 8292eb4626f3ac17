import net from 'node:net';
import { SendingChannel } from '../channel/channel.ts';
import { Control } from '../channel/control.ts';
import { abortReason, Deadline, untilAborted } from '../channel/deadline.ts';
import { encodeFrame } from '../channel/frame.ts';
import { endGently } from '../channel/linger.ts';
import { parseTokenLine, startsLane, type Token, tokenLineLength } from '../channel/token.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { type PeerCredentials, peerCredentials } from '../fd/peer-credentials.ts';
import { type Hello, readHello, takesDescriptors } from './hello.ts';
import { abortPayload } from './predecessor.ts';

/**
 * How long a visitor may take to introduce itself, and a control connection to be joined by its lane. Both are local and
 * need no more than a few milliseconds; five seconds forgive a machine that is swapping, and end a peer that says
 * nothing.
 */
const defaultGreetingTimeout = 5_000;

/**
 * How many connections may be in the reception at once, and how many lanes may wait for their HELLO. A handoff needs two
 * and one; the rest is room for status queries, and for those who look whether anybody is there. Past it a visitor is
 * refused at once, so that a flood costs neither descriptors nor memory.
 */
const visitorLimit = 64;

/** The backlog of the control socket: enough for a burst of visitors, far below what a flood would like. */
export const controlBacklog = 128;

/** Somebody who has been let in: who it is, what it wants, and the connections to talk to it. */
export interface Visitor {
  readonly hello: Hello;
  readonly peer: PeerCredentials;
  readonly control: Control;
  /** With a lane for intents that take descriptors. */
  readonly channel: SendingChannel | null;
}

export interface ReceptionOptions {
  /** Borrows the descriptor number of an accepted socket; who calls it must know how Node keeps it. */
  readonly descriptorOf: (socket: net.Socket) => number;
  readonly authorize: (peer: PeerCredentials) => boolean | Promise<boolean>;
  /** Gets every visitor that was let in; it owns the connections from then on. */
  readonly onVisitor: (visitor: Visitor) => void;
  /** Hears of everyone who was turned away, and why. */
  readonly onRefusal: (error: HandoffError, peer: PeerCredentials | null) => void;
  /** How long a visitor may take to introduce itself, in milliseconds. */
  readonly greetingTimeout?: number;
}

interface Waiting {
  readonly arrive: (lane: OwnedFd) => void;
}

/**
 * By default the same user, and root, who can do as they like anyway. The user of this moment: a service that has dropped
 * root's privileges is replaced by its own user from then on.
 */
export function authorizeSameUser(peer: PeerCredentials): boolean {
  return peer.uid === 0 || peer.uid === process.geteuid?.();
}

/** Accepts on the control listener, checks who comes, and pairs control connections with their lanes. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #greetingTimeout: number;
  #server: net.Server | null = null;
  readonly #sockets = new Set<net.Socket>();
  readonly #awaited = new Map<Token, Waiting>();
  readonly #lanes = new Map<Token, OwnedFd>();

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#greetingTimeout = options.greetingTimeout ?? defaultGreetingTimeout;
  }

  /**
   * Accepts on a copy of `listener`, which stays the caller's. Resolves when it does, or when `close()` has come before
   * that.
   */
  async open(listener: OwnedFd): Promise<void> {
    // Nothing is read before the peer was checked.
    const server = net.createServer({ pauseOnConnect: true }, (socket) => void this.#receive(socket));
    const copy = listener.dup();
    // From the first moment, so that `close()` finds it. One that is closed before it listens never says that it does.
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).once('close', resolve);
      // This calls listen(2) again, which makes this process the one that SO_PEERCRED names to those who connect.
      server.listen({ fd: copy.fd }, controlBacklog, resolve);
      copy.release();
    });
    // A failing accept (EMFILE, say) concerns one visitor and not the service.
    server.on('error', (error) =>
      this.#options.onRefusal(
        new HandoffError('ERR_HANDOFF_REFUSED', `Accepting a visitor failed: ${error.message}`),
        null,
      ),
    );
  }

  /** Stops accepting and turns away whoever has not been let in yet. The control listener itself stays open. */
  close(): void {
    this.#server?.close();
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    for (const lane of this.#lanes.values()) lane.close();
    this.#lanes.clear();
  }

  async #receive(socket: net.Socket): Promise<void> {
    socket.on('error', () => {});
    if (this.#sockets.size >= visitorLimit) {
      const refusal = crowded();
      socket.end(encodeFrame('REFUSED', abortPayload(refusal)), () => socket.destroy());
      this.#options.onRefusal(refusal, null);
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    using deadline = Deadline.after(this.#greetingTimeout, 'The visitor did not introduce itself', closeSignal(socket));
    let peer: PeerCredentials | null = null;
    try {
      peer = peerCredentials(this.#options.descriptorOf(socket));
      await this.#check(peer, deadline.signal);
      const start = await firstBytes(socket, deadline.signal);
      if (startsLane(start[0] as number)) await this.#takeLane(socket, start, deadline.signal);
      else await this.#takeControl(socket, start, peer, deadline.signal);
    } catch (error) {
      const refusal =
        error instanceof HandoffError
          ? error
          : new HandoffError('ERR_HANDOFF_REFUSED', String(error), { cause: error });
      if (socket.writable) socket.write(encodeFrame('REFUSED', abortPayload(refusal)));
      endGently(socket);
      this.#options.onRefusal(refusal, peer);
    }
  }

  async #check(peer: PeerCredentials, signal: AbortSignal): Promise<void> {
    if (await untilAborted(Promise.resolve(this.#options.authorize(peer)), signal)) return;
    throw new HandoffError(
      'ERR_HANDOFF_UNTRUSTED_PEER',
      `Process ${peer.pid} of user ${peer.uid} may not talk to this process: only the same user and root may, unless authorize() says otherwise.`,
    );
  }

  async #takeControl(socket: net.Socket, start: Buffer, peer: PeerCredentials, signal: AbortSignal): Promise<void> {
    const control = new Control(socket, 'successor', start);
    control.peerPid = peer.pid;
    const hello = readHello(await control.expect(['HELLO'], signal));
    const lane = takesDescriptors(hello.intent) ? await this.#laneFor(hello.token as Token, signal) : null;
    this.#sockets.delete(socket);
    const channel = lane === null ? null : new SendingChannel(control, lane);
    this.#options.onVisitor({ hello, peer, control, channel });
  }

  /** The lane that brought this token, now or until the signal aborts. */
  async #laneFor(token: Token, signal: AbortSignal): Promise<OwnedFd> {
    const early = this.#lanes.get(token);
    if (early !== undefined) {
      this.#lanes.delete(token);
      return early;
    }
    if (this.#awaited.has(token)) {
      throw new HandoffError('ERR_HANDOFF_PROTOCOL', 'Two visitors brought the same token.');
    }
    return new Promise<OwnedFd>((resolve, reject) => {
      // Nobody is awaited any more from the very moment on which one side has come or gone: a second lane, or one that
      // is late, would be given to nobody and stay open.
      const abandon = () => {
        this.#awaited.delete(token);
        reject(unpaired(signal));
      };
      const arrive = (lane: OwnedFd) => {
        this.#awaited.delete(token);
        signal.removeEventListener('abort', abandon);
        resolve(lane);
      };
      this.#awaited.set(token, { arrive });
      signal.addEventListener('abort', abandon, { once: true });
      if (signal.aborted) abandon();
    });
  }

  async #takeLane(socket: net.Socket, start: Buffer, signal: AbortSignal): Promise<void> {
    let line = start;
    while (line.length < tokenLineLength) line = Buffer.concat([line, await firstBytes(socket, signal)]);
    const token = parseTokenLine(line);
    if (token === null || this.#lanes.has(token)) {
      throw new HandoffError('ERR_HANDOFF_PROTOCOL', 'Neither a frame nor a token: this socket is for handoffs only.');
    }
    const waiting = this.#awaited.get(token);
    if (waiting === undefined && this.#lanes.size >= visitorLimit) throw crowded();
    // Only the addon may touch the lane from here on. Node's socket goes; the connection stays, because destroy() is
    // close(2) alone and a copy is held.
    const lane = OwnedFd.dup(this.#options.descriptorOf(socket), 'the lane of a successor');
    socket.destroy();
    if (waiting !== undefined) return waiting.arrive(lane);
    this.#lanes.set(token, lane);
    setTimeout(() => {
      if (this.#lanes.get(token) === lane) {
        this.#lanes.delete(token);
        lane.close();
      }
    }, this.#greetingTimeout).unref();
  }
}

function crowded(): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_BUSY',
    `${visitorLimit} others are at the control socket and have not introduced themselves: try again in a few seconds.`,
  );
}

/** What has ended the wait for a lane: its visitor is gone, or the time is over. */
function unpaired(signal: AbortSignal): HandoffError {
  const reason = abortReason(signal);
  if (reason.code !== 'ERR_HANDOFF_TIMEOUT') return reason;
  return new HandoffError(
    'ERR_HANDOFF_TIMEOUT',
    'No second connection (the lane) came with the token of HELLO: a successor opens two connections, and writes its token on the second.',
    { cause: reason },
  );
}

/** Aborts when the socket closes, so that nobody waits for a visitor that is gone. */
function closeSignal(socket: net.Socket): AbortSignal {
  const controller = new AbortController();
  socket.once('close', () =>
    controller.abort(new HandoffError('ERR_HANDOFF_REFUSED', 'The visitor left before it had introduced itself.')),
  );
  return controller.signal;
}

/** What comes next on the socket, at least one byte; the socket is paused again after it. */
function firstBytes(socket: net.Socket, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const finish = () => {
      socket.off('data', take).pause();
      signal.removeEventListener('abort', abort);
    };
    const take = (chunk: Buffer) => {
      finish();
      resolve(chunk);
    };
    const abort = () => {
      finish();
      reject(abortReason(signal));
    };
    socket.on('data', take);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    else socket.resume();
  });
}
