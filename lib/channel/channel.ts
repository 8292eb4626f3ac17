import { HandoffError } from '../fd/handoff-error.ts';
import { type Message, receiveMessage, sendMessage } from '../fd/message.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import type { Control } from './control.ts';
import { type Frame, readInteger } from './frame.ts';
import { endOfLane } from './lane-end.ts';
import { parseTokenLine, type Token, tokenLine, tokenLineLength } from './token.ts';
import { trace } from './trace.ts';

/**
 * Descriptors in one batch. Linux allows 253 in a message and macOS about as many; 64 keeps the batch that is in flight
 * far below any RLIMIT_NOFILE, against which unread descriptors count (ETOOMANYREFS).
 */
export const batchLimit = 64;

/** The byte that a batch travels with: a message of zero bytes would lose its descriptors. */
const batchMark = Buffer.from('F', 'latin1');

/** Either end of what a handoff runs over; it owns both connections. */
class ChannelEnd implements Disposable {
  readonly control: Control;
  protected readonly lane: OwnedFd;

  constructor(control: Control, lane: OwnedFd) {
    this.control = control;
    this.lane = lane;
  }

  /** Closes the lane, and the control connection when the peer has read what was said on it. */
  async end(): Promise<void> {
    this.lane.close();
    await this.control.end();
  }

  /** Closes the lane and the control connection, at once. */
  [Symbol.dispose](): void {
    this.lane.close();
    this.control.destroy();
  }
}

/** The predecessor's end: descriptors go out on the lane, one batch in flight. */
export class SendingChannel extends ChannelEnd {
  /** The token that the successor wrote on a lane that was inherited; null where it wrote none, or another thing. */
  readToken(): Token | null {
    const message = receiveMessage(this.lane.fd, tokenLineLength, 0);
    return message === null ? null : parseTokenLine(message.data);
  }

  /**
   * Sends `fds`, in their order, and resolves when the successor has said that it holds all of them. The descriptors
   * are borrowed and must stay open until then: macOS can close what is closed by its sender while in flight.
   */
  async sendDescriptors(fds: readonly number[], signal: AbortSignal): Promise<void> {
    for (let start = 0; start < fds.length; start += batchLimit) {
      await this.sendBatch(fds.slice(start, start + batchLimit), signal);
    }
  }

  /** One batch, announced by `DESCRIPTORS` and acknowledged by `RECEIVED`. */
  async sendBatch(fds: number[], signal: AbortSignal): Promise<void> {
    // The lane first: when the announcement arrives, the batch has to be there for a receiver that does not wait.
    this.putBatch(fds);
    this.control.send('DESCRIPTORS', { count: fds.length });
    const received = readInteger(await this.control.expect(['RECEIVED'], signal), 'count');
    if (received !== fds.length) {
      throw new HandoffError(
        'ERR_HANDOFF_PROTOCOL',
        `The successor acknowledged ${received} descriptors of a batch of ${fds.length}.`,
      );
    }
  }

  /** Writes a batch on the lane; announcing it is the caller's part. */
  putBatch(fds: number[]): void {
    try {
      trace('sending', 'BATCH', this.control);
      sendMessage(this.lane.fd, batchMark, fds);
      trace('sent', 'BATCH', this.control);
    } catch (error) {
      if (!isGone(error)) throw error;
      throw new HandoffError('ERR_HANDOFF_SUCCESSOR_EXITED', 'The successor closed its lane.', { cause: error });
    }
  }

  /** Resolves when the peer has closed its lane, or ours is closed: for when the control connection is gone. */
  laneEnd(): Promise<void> {
    return endOfLane(this.lane);
  }
}

/** The successor's end: takes what the predecessor sends. */
export class ReceivingChannel extends ChannelEnd {
  /** Introduces the lane: the first thing on it, and the only one that the successor writes there. */
  writeToken(token: Token): void {
    try {
      sendMessage(this.lane.fd, tokenLine(token), []);
    } catch (error) {
      // A predecessor that is gone, or has refused us already: the control connection tells which.
      if (!isGone(error)) throw error;
    }
  }

  /** Receives `count` descriptors in as many batches as they come in. What arrived is closed if the rest does not. */
  async receiveDescriptors(count: number, signal: AbortSignal): Promise<OwnedFd[]> {
    const received: OwnedFd[] = [];
    try {
      while (received.length < count) {
        const batch = this.takeBatch(await this.control.expect(['DESCRIPTORS'], signal));
        received.push(...batch);
        if (received.length > count) {
          throw new HandoffError(
            'ERR_HANDOFF_PROTOCOL',
            `The predecessor sent ${received.length} descriptors where its offer lists ${count}.`,
          );
        }
        this.control.send('RECEIVED', { count: batch.length });
      }
      return received;
    } catch (error) {
      OwnedFd.closeAll(received);
      throw error;
    }
  }

  /** Takes the batch that `announcement` says is on the lane. Acknowledging it is the caller's part. */
  takeBatch(announcement: Frame): OwnedFd[] {
    return this.takeBatchOf(readInteger(announcement, 'count', 1));
  }

  /** Takes the batch of `count` descriptors that is on the lane. */
  takeBatchOf(count: number): OwnedFd[] {
    if (count > batchLimit) {
      throw new HandoffError(
        'ERR_HANDOFF_PROTOCOL',
        `The predecessor announced a batch of ${count} descriptors; ${batchLimit} are allowed.`,
      );
    }
    const message = this.#receive();
    trace('received', 'BATCH', this.control);
    const descriptors = OwnedFd.ofAll(message?.fds ?? [], 'received from the predecessor');
    if (message === null || !message.data.equals(batchMark) || descriptors.length !== count) {
      OwnedFd.closeAll(descriptors);
      throw new HandoffError(
        'ERR_HANDOFF_PROTOCOL',
        `The predecessor announced ${count} descriptors and ${descriptors.length} were on the lane.`,
      );
    }
    return descriptors;
  }

  /** Resolves when the peer has closed its lane, or ours is closed: for when the control connection is gone. */
  laneEnd(): Promise<void> {
    return endOfLane(this.lane);
  }

  #receive(): Message | null {
    try {
      return receiveMessage(this.lane.fd, batchMark.length, batchLimit);
    } catch (error) {
      if (!isGone(error)) throw error;
      throw new HandoffError('ERR_HANDOFF_PREDECESSOR_EXITED', 'The predecessor closed its lane.', { cause: error });
    }
  }
}

/** Whether a call failed because nobody is at the other end any more. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EPIPE' || code === 'ECONNRESET';
}
