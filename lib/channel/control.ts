import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { HandoffError } from '../fd/handoff-error.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';
import { abortReason } from './deadline.ts';
import {
  encodeFrame,
  errorFrom,
  type Frame,
  FrameDecoder,
  type FrameName,
  type JsonObject,
  maximumFrameLength,
  maximumVisitorFrameLength,
} from './frame.ts';
import { endGently } from './linger.ts';
import { trace } from './trace.ts';

/** Who is at the other end. It decides what its silence means and which error its death is. */
export type Peer = 'predecessor' | 'successor';

/**
 * How many frames may wait unread before the socket is no longer read. Nothing of the protocol sends that many ahead;
 * the limit is there for a peer that does not follow it.
 */
const queueLimit = 1024;

/**
 * What every connection of `Control.over` is read into: each read is copied out of it before the next one begins. As much
 * as Node makes anew for every read of a socket otherwise, of a frame of 17 bytes too, and then hands to the garbage
 * collector: with that a batch of descriptors takes half as long again.
 */
const readBytes = 65_536;
let room: Buffer | undefined;

interface Expectation {
  readonly names: readonly FrameName[];
  readonly signal: AbortSignal;
  readonly settle: (frame: Frame) => void;
  readonly fail: (error: unknown) => void;
}

type Life = { is: 'open' } | { is: 'ended'; error: HandoffError };

/**
 * One end of a control connection: frames in both directions on an ordinary socket.
 *
 * Frames are read one after the other by `expect`, except those that may come at any time, which are given to the
 * listener that `on` has set. What arrived before the peer went away is delivered before its death is.
 */
export class Control {
  readonly #socket: Socket;
  readonly peer: Peer;
  readonly #decoder: FrameDecoder;
  readonly #queue: Frame[] = [];
  readonly #listeners = new Map<FrameName, (frame: Frame) => void>();
  #expectation: Expectation | null = null;
  /** Listened to until another one is expected by, or the connection ends: conversations expect by one again and again. */
  #watched: AbortSignal | null = null;
  #life: Life = { is: 'open' };
  /** Settles, and never rejects, when the connection is gone for whatever reason. */
  readonly closed: Promise<void>;
  /** The peer's process, as far as it is known, for messages. */
  peerPid: number | null = null;

  /**
   * @param socket is taken over: closing the control closes it
   * @param received what somebody else has read of the stream already
   */
  constructor(socket: Socket, peer: Peer, received?: Buffer) {
    this.#socket = socket;
    this.peer = peer;
    this.#decoder = new FrameDecoder(peer === 'successor' ? maximumVisitorFrameLength : maximumFrameLength);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#end(this.#gone());
        resolve();
      });
    });
    // ECONNRESET and EPIPE say no more than 'close' does: the peer is gone.
    socket.on('error', (error) => this.#end(this.#gone(error)));
    socket.on('end', () => this.#end(this.#gone()));
    if (received !== undefined && received.length > 0) this.#take(received);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.resume();
  }

  /**
   * The same over a connected descriptor, which costs less than over a socket that somebody else has made.
   *
   * @param connection is taken over: closing the control closes it
   * @throws where it is nothing that a socket can be made of; it is the caller's then
   */
  static over(connection: OwnedFd, peer: Peer): Control {
    room ??= Buffer.allocUnsafeSlow(readBytes);
    const socket = new Socket({
      fd: connection.fd,
      onread: {
        buffer: room,
        callback: (length: number, buffer: Uint8Array) => {
          control.#take(Buffer.from(buffer.subarray(0, length)));
          return true;
        },
      },
    } as SocketConstructorOpts & ConnectOpts);
    connection.release();
    const control = new Control(socket, peer);
    return control;
  }

  /** Whether frames can still come and go. */
  get open(): boolean {
    return this.#life.is === 'open';
  }

  /** Sends one frame. After the connection has ended this does nothing: that is told to whoever reads. */
  send(name: FrameName, payload: JsonObject, bytes?: Buffer): void {
    this.sendEncoded(name, encodeFrame(name, payload, bytes));
  }

  /** Sends a frame that was encoded before. */
  sendEncoded(name: FrameName, frame: Buffer): void {
    if (!this.#socket.writable) return;
    trace('sending', name, this);
    this.#socket.write(frame);
    trace('sent', name, this);
  }

  /** Sends one frame and waits until the kernel has room for more, for streams of large frames. */
  async sendAndDrain(
    name: FrameName,
    payload: JsonObject,
    bytes: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    this.send(name, payload, bytes);
    while (this.open && this.#socket.writableNeedDrain) {
      await new Promise<void>((resolve) => {
        const proceed = () => {
          this.#socket.off('drain', proceed);
          this.#socket.off('close', proceed);
          signal.removeEventListener('abort', proceed);
          resolve();
        };
        this.#socket.on('drain', proceed);
        this.#socket.on('close', proceed);
        signal.addEventListener('abort', proceed, { once: true });
      });
      if (signal.aborted) throw abortReason(signal);
    }
  }

  /**
   * The next frame, which has to be one of `names`. An ABORT or REFUSED that was not asked for rejects as the error it
   * stands for, any other frame as ERR_HANDOFF_PROTOCOL, the end of the connection as the peer's exit.
   */
  expect(names: readonly FrameName[], signal: AbortSignal): Promise<Frame> {
    if (this.#expectation !== null) throw new Error('Control.expect() was called while another call waits');
    return new Promise<Frame>((settle, fail) => {
      this.#expectation = { names, signal, settle, fail };
      if (signal.aborted) return this.#fail(abortReason(signal));
      this.#watch(signal);
      this.#deliver();
    });
  }

  /** Gives every frame of this name to `listener` from now on, whatever else is awaited. */
  on(name: FrameName, listener: (frame: Frame) => void): void {
    this.#listeners.set(name, listener);
    for (const frame of this.#queue.filter((queued) => queued.name === name)) {
      this.#queue.splice(this.#queue.indexOf(frame), 1);
      try {
        listener(frame);
      } catch (error) {
        // As if it had come a moment later: whether a frame was waiting already must make no difference to the caller.
        this.#breakOff(error);
        return;
      }
    }
    if (this.#queue.length <= queueLimit) this.#socket.resume();
  }

  /** Says what is still to be said, then closes. Resolves when the connection is gone, a second later at most. */
  end(): Promise<void> {
    endGently(this.#socket);
    return this.closed;
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Lets the process leave although this connection is open. */
  unref(): void {
    this.#socket.unref();
  }

  #take(chunk: Buffer): void {
    if (this.#life.is === 'ended') return;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        trace('received', frame.name, this);
        const listener = this.#listeners.get(frame.name);
        if (listener !== undefined) listener(frame);
        else this.#queue.push(frame);
      }
    } catch (error) {
      this.#breakOff(error);
      return;
    }
    if (this.#queue.length > queueLimit) this.#socket.pause();
    this.#deliver();
  }

  /** What the peer sent cannot be: it is told why, and heard no more. */
  #breakOff(error: unknown): void {
    const failure = error instanceof HandoffError ? error : new HandoffError('ERR_HANDOFF_PROTOCOL', String(error));
    this.send('ABORT', { code: failure.code, message: failure.message });
    this.#end(failure);
    void this.end();
  }

  #deliver(): void {
    const waiting = this.#expectation;
    if (waiting === null) return;
    const frame = this.#queue.shift();
    if (frame !== undefined) {
      if (this.#queue.length === queueLimit) this.#socket.resume();
      if (waiting.names.includes(frame.name)) {
        this.#expectation = null;
        waiting.settle(frame);
      } else if (frame.name === 'ABORT' || frame.name === 'REFUSED') {
        this.#fail(errorFrom(frame));
      } else {
        this.#fail(this.#unexpected(frame, waiting.names));
      }
    } else if (this.#life.is === 'ended') {
      this.#fail(this.#life.error);
    }
  }

  #fail(error: HandoffError): void {
    const waiting = this.#expectation;
    this.#expectation = null;
    waiting?.fail(error);
  }

  #watch(signal: AbortSignal | null): void {
    if (signal === this.#watched) return;
    this.#watched?.removeEventListener('abort', this.#abort);
    signal?.addEventListener('abort', this.#abort);
    this.#watched = signal;
  }

  readonly #abort = (): void => {
    const waiting = this.#expectation;
    if (waiting?.signal.aborted) this.#fail(abortReason(waiting.signal));
  };

  #end(error: HandoffError): void {
    if (this.#life.is === 'ended') return;
    this.#life = { is: 'ended', error };
    this.#deliver();
    this.#watch(null);
  }

  #unexpected(frame: Frame, expected: readonly FrameName[]): HandoffError {
    return new HandoffError(
      'ERR_HANDOFF_PROTOCOL',
      `The ${this.peer} sent ${frame.name} where ${expected.join(' or ') || 'nothing'} belongs.`,
    );
  }

  #gone(cause?: Error): HandoffError {
    const who = this.peerPid === null ? `The ${this.peer}` : `The ${this.peer} (process ${this.peerPid})`;
    const cut = this.#decoder.pending > 0 ? ' in the middle of a frame' : '';
    return new HandoffError(
      this.peer === 'predecessor' ? 'ERR_HANDOFF_PREDECESSOR_EXITED' : 'ERR_HANDOFF_SUCCESSOR_EXITED',
      `${who} closed the control connection${cut}.`,
      { cause },
    );
  }
}
