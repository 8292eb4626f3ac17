import type { ReceivingChannel } from '../channel/channel.ts';
import { abortReason } from '../channel/deadline.ts';
import { errorFrom, type Frame, readArray, readInteger } from '../channel/frame.ts';
import { createToken } from '../channel/token.ts';
import { trace } from '../channel/trace.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { type Arriving, receiveConnections } from './connection-transfer.ts';
import { type DebuggerAddress, readDebuggerAddress } from './debugger-address.ts';
import { DrainLine } from './drains/drain-line.ts';
import { helloPayload, type Intent, protocolVersion, readFeatures } from './hello.ts';
import type { Inheritance } from './inheritance.ts';
import { InheritedDescriptors } from './inherited-descriptors.ts';
import { type Inherited, isManifestEntry, type ManifestEntry, readyName, verifyDescriptor } from './manifest.ts';
import { abortPayload, type Mode } from './predecessor.ts';
import { announceReady } from './ready-pipe.ts';
import type { Reopenings } from './reopenings.ts';
import { isStateEntry, type SavedState, StateAssembler } from './state.ts';

/** What decided who owns the service once the newline was written. */
export type Decision =
  /** The predecessor said COMMITTED. */
  | 'committed'
  /** The connection ended before the predecessor could say anything: it died, or the connection broke. */
  | 'orphaned';

/** How the predecessor left. */
export type PredecessorEnd =
  /** It said DRAINED. */
  | { readonly how: 'drained'; readonly report: unknown }
  /** It said that its role went to somebody else (only to a successor beside it). */
  | { readonly how: 'released' }
  /** It went without a word. */
  | { readonly how: 'died' };

/** What the primary of a cluster tells one of its workers: to leave. */
export interface Retirement {
  /** How long it may take, in milliseconds; 0 cuts off what is left at once. */
  readonly timeout: number;
  /** When idle connections are closed, in milliseconds from then; null: their own keep-alive timeout does it. */
  readonly idle: number | null;
}

/** What the successor hears from its predecessor after commit. */
export interface AfterCommit {
  /** Returns whether the connection is served here; it is taken over then. */
  readonly onConnection: (connection: Arriving) => boolean;
  readonly onLateState: (state: SavedState) => Promise<unknown>;
  /** The predecessor's debugger port, which is free now or will be. */
  readonly onDebugger?: (address: DebuggerAddress) => void;
  /** Only the primary of a cluster says it, and only to its workers. */
  readonly onRetire?: (retirement: Retirement) => void;
  readonly onEnd: (end: PredecessorEnd) => void;
}

/**
 * One takeover from the successor's side: what it was offered, and the connection to the predecessor until that one is
 * gone. Whatever is not taken out of it is closed with it.
 */
export class Takeover extends InheritedDescriptors implements Inheritance {
  readonly rehearsed = false;
  readonly mode: Mode;
  readonly generation: number;
  readonly predecessor: { readonly pid: number; readonly generation: number };
  readonly #channel: ReceivingChannel;
  readonly #features: readonly string[];
  readonly #states: Map<string, SavedState>;
  readonly #lateStates: ReadonlySet<string>;
  #settleLateStates: () => void = () => {};
  /** Settles, and never rejects, when every late state was restored, or none can come any more. */
  readonly lateStatesRestored = new Promise<void>((resolve) => {
    this.#settleLateStates = resolve;
  });
  readonly #assembler: StateAssembler;
  readonly #calledOff = new AbortController();
  /** One side has said ABORT: the end of the connection is no surprise any more. */
  #givenUp = false;
  /** Resolves when the predecessor is gone without having called the handoff off; never where it has. */
  readonly predecessorLost: Promise<void>;

  private constructor(fields: {
    mode: Mode;
    predecessor: { pid: number; generation: number };
    features: readonly string[];
    channel: ReceivingChannel;
    inherited: readonly Inherited[];
    states: Map<string, SavedState>;
    lateStates: ReadonlySet<string>;
    assembler: StateAssembler;
  }) {
    super(fields.inherited);
    this.mode = fields.mode;
    this.predecessor = fields.predecessor;
    this.generation = fields.predecessor.generation + 1;
    this.#channel = fields.channel;
    this.#features = fields.features;
    this.#states = fields.states;
    this.#lateStates = fields.lateStates;
    this.#assembler = fields.assembler;
    // At any time, and not only when `ready()` asks: a successor that is still warming up must let go of the listeners at
    // once, or whoever connects waits in a queue that nobody serves when the predecessor leaves.
    this.#channel.control.on('ABORT', (frame) => {
      this.#calledOff.abort(errorFrom(frame));
      this[Symbol.dispose]();
    });
    this.predecessorLost = new Promise((resolve) => {
      void this.#channel.control.closed.then(() => {
        if (!this.#givenUp) resolve();
      });
    });
  }

  /** Aborts, with the predecessor's reason, when that calls the handoff off. */
  get calledOff(): AbortSignal {
    return this.#calledOff.signal;
  }

  /**
   * Says HELLO and receives everything that is offered. Takes `channel` over, and closes it together with all that
   * came when this rejects.
   */
  static async begin(channel: ReceivingChannel, intent: Intent, signal: AbortSignal): Promise<Takeover> {
    const { control } = channel;
    const received: OwnedFd[] = [];
    try {
      const token = createToken();
      // The token first: a predecessor that reads HELLO on an inherited pair finds it on the lane already.
      channel.writeToken(token);
      control.send('HELLO', helloPayload(intent, token));

      const welcome = await control.expect(['WELCOME'], signal);
      checkVersion(welcome);
      const predecessor = { pid: readInteger(welcome, 'pid'), generation: readInteger(welcome, 'generation') };
      control.peerPid = predecessor.pid;
      const features = readFeatures(welcome);

      const offer = await control.expect(['OFFER'], signal);
      const entries = readArray(offer, 'descriptors', isManifestEntry);
      const stateEntries = readArray(offer, 'state', isStateEntry);
      const mode = offer.payload.mode ?? 'replace';
      if (mode !== 'replace' && mode !== 'keep' && mode !== 'share') {
        throw new HandoffError('ERR_HANDOFF_PROTOCOL', `The offer has the unknown mode ${JSON.stringify(mode)}.`);
      }

      received.push(...(await channel.receiveDescriptors(entries.length, signal)));
      const inherited = verifyAll(entries, received);

      const assembler = new StateAssembler();
      const states = new Map<string, SavedState>();
      const early = stateEntries.filter((entry) => !entry.late);
      while (states.size < early.length) {
        const frame = await control.expect(['STATE'], signal).catch(nullIfGone);
        if (frame === null) break;
        const state = assembler.take(frame);
        if (state !== null) states.set(state.name, state);
      }
      // Of a predecessor that is gone nothing comes any more; but its listeners are here, with whoever waits in their
      // queues. To serve them without its state is better than to close them and start afresh.
      const lateStates = new Set(stateEntries.filter((entry) => entry.late).map((entry) => entry.name));
      return new Takeover({ mode, predecessor, features, channel, inherited, states, lateStates, assembler });
    } catch (error) {
      OwnedFd.closeAll(received);
      control.send('ABORT', abortPayload(error));
      void channel.end();
      throw error;
    }
  }

  /** The state of that name: its value, the promise of a late one, or null where the predecessor has none. */
  state(name: string): SavedState | 'late' | null {
    return this.#states.get(name) ?? (this.#lateStates.has(name) ? 'late' : null);
  }

  /**
   * Writes the newline and waits for the decision. Rejects with the predecessor's reason when it says ABORT, or when it
   * is alive and says nothing until `signal` aborts: then it stays the owner.
   */
  async announceReady(signal: AbortSignal): Promise<Decision> {
    if (this.calledOff.aborted) throw abortReason(this.calledOff);
    const ready = this.take(readyName);
    if (ready === null) throw new HandoffError('ERR_HANDOFF_PROTOCOL', `The offer had no "${readyName}".`);
    // A pipe that nobody reads says nothing about the owner: a predecessor that is dead closed it, and so did one that
    // has called the handoff off and serves on. The control connection tells the two apart.
    trace('sending', 'READY', this.#channel.control);
    announceReady(ready.descriptor);
    trace('sent', 'READY', this.#channel.control);
    try {
      await this.#channel.control.expect(['COMMITTED'], AbortSignal.any([signal, this.calledOff]));
      return 'committed';
    } catch (error) {
      if (error instanceof HandoffError && error.code === 'ERR_HANDOFF_PREDECESSOR_EXITED') return 'orphaned';
      throw error;
    }
  }

  /**
   * After the decision: closes what nobody took, tells the predecessor which those were, and listens to it until it is
   * gone.
   */
  settle({ onConnection, onLateState, onDebugger, onRetire, onEnd }: AfterCommit): void {
    const { control } = this.#channel;
    const unclaimed = this.unclaimed.map(({ name }) => name);
    // Without their names the predecessor would keep its copies while it drains, and whoever connects would wait in a
    // queue that nobody serves. Without any name it is what tells the predecessor that this process has outlived its
    // newline.
    if (this.mode === 'replace') control.send('UNCLAIMED', { names: unclaimed });
    this.closeHeld();
    const missing = new Set(this.#lateStates);
    if (missing.size === 0) this.#settleLateStates();
    let end: PredecessorEnd = { how: 'died' };
    control.on('STATE', (frame) => {
      const state = this.#assembler.take(frame);
      if (state === null) return;
      void onLateState(state).finally(() => {
        missing.delete(state.name);
        if (missing.size === 0) this.#settleLateStates();
      });
    });
    control.on('CONNECTIONS', (frame) => receiveConnections(this.#channel, frame, onConnection));
    control.on('DEBUGGER', (frame) => {
      const address = readDebuggerAddress(frame);
      if (address !== null) onDebugger?.(address);
    });
    control.on('RETIRE', (frame) => onRetire?.(readRetirement(frame)));
    control.on('RELEASED', () => {
      end = { how: 'released' };
    });
    control.on('DRAINED', (frame) => {
      end = { how: 'drained', report: frame.payload.report };
    });
    void control.closed.then(async () => {
      this.#settleLateStates();
      // The open lane tells a predecessor whose connection broke that its successor lives; and it may live as well.
      if (end.how === 'died') await this.#channel.laneEnd();
      this.#channel[Symbol.dispose]();
      onEnd(end);
    });
    // The connection is there to hear of a death; a process that has nothing else to do may leave.
    control.unref();
  }

  /** By which the predecessor, which drains from now on, is asked what it waits for. */
  drainLine(): DrainLine {
    return new DrainLine(this.#channel.control, this.predecessor, this.#features);
  }

  /** Has the predecessor told, and hears from it, when log files were renamed. */
  joinReopenings(reopenings: Reopenings): void {
    reopenings.join(this.#channel.control, this.#features);
  }

  /** Tells the predecessor that nothing is to be given back when this process leaves. */
  release(): void {
    this.#channel.control.send('RELEASED', {});
  }

  /** Hangs up in good order: the predecessor has read `release()` when this resolves, or does not read any more. */
  async leave(): Promise<void> {
    this.release();
    await this.#channel.end();
  }

  /** Gives the takeover up before it was decided: the predecessor stays, and what was received is closed. */
  abort(error: unknown): void {
    this.#channel.control.send('ABORT', abortPayload(error));
    this.closeHeld();
    this.#givenUp = true;
    void this.#channel.end();
  }

  [Symbol.dispose](): void {
    this.#givenUp = true;
    this.closeHeld();
    this.#channel[Symbol.dispose]();
  }
}

function readRetirement(frame: Frame): Retirement {
  const idle = frame.payload.idle == null ? null : readInteger(frame, 'idle');
  return { timeout: readInteger(frame, 'timeout'), idle };
}

function checkVersion(welcome: Frame): void {
  const version = readInteger(welcome, 'protocol');
  if (version === protocolVersion) return;
  throw new HandoffError(
    'ERR_HANDOFF_VERSION',
    `The predecessor chose protocol version ${version}, and this process speaks ${protocolVersion}: update the older of the two programs.`,
  );
}

/** Null where the predecessor is gone; any other failure stays one. */
function nullIfGone(error: unknown): null {
  if (error instanceof HandoffError && error.code === 'ERR_HANDOFF_PREDECESSOR_EXITED') return null;
  throw error;
}

function verifyAll(entries: readonly ManifestEntry[], descriptors: readonly OwnedFd[]): Inherited[] {
  const names = new Set<string>();
  return entries.map((entry, index) => {
    const descriptor = descriptors[index] as OwnedFd;
    verifyDescriptor(entry, descriptor);
    if (names.has(entry.name)) {
      throw new HandoffError('ERR_HANDOFF_PROTOCOL', `The offer lists "${entry.name}" twice.`);
    }
    names.add(entry.name);
    return { entry, descriptor };
  });
}
