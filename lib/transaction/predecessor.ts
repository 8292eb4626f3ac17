import type { SendingChannel } from '../channel/channel.ts';
import type { Control } from '../channel/control.ts';
import { untilAborted } from '../channel/deadline.ts';
import { type Frame, isString, type JsonObject, readArray } from '../channel/frame.ts';
import { trace } from '../channel/trace.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { ConnectionSender, type ConnectionsTaken, connectionsTaken, type Departing } from './connection-transfer.ts';
import { type DebuggerAddress, debuggerFeature } from './debugger-address.ts';
import { answerInquiries, type DrainAnswers } from './drains/drain-answers.ts';
import { features, type Hello, protocolVersion, unclaimedFeature } from './hello.ts';
import { describeForManifest, type NamedDescriptor, readyName } from './manifest.ts';
import { ReadyPipe } from './ready-pipe.ts';
import { type SavedState, sendState } from './state.ts';

/**
 * What becomes of the predecessor when the successor is ready. `replace`: it stops and drains. `keep`: it serves on, and
 * the successor inherits its role when it leaves. `share`: it serves on, and its role is nobody else's.
 */
export type Mode = 'replace' | 'keep' | 'share';

/** Somebody who is to take over: it has said HELLO, and its lane is paired. */
export interface Candidate {
  readonly channel: SendingChannel;
  readonly hello: Hello;
}

/** Everything that one handoff gives. */
export interface Offer {
  readonly mode: Mode;
  readonly generation: number;
  /** Borrowed; they have to stay open until the offer has ended. */
  readonly descriptors: readonly NamedDescriptor[];
  readonly states: readonly { name: string; late: boolean }[];
  /** Runs once the descriptors are over, just before the successor starts to warm up. */
  readonly saveStates: () => Promise<SavedState[]>;
  /** For the manifest: how long the successor may take, in milliseconds. The caller's signal is what enforces it. */
  readonly readyTimeout: number;
}

/** Where an offer stands. After `ready` it is the owner who commits. */
export type OfferPhase = 'welcomed' | 'descriptors-received' | 'state-sent' | 'ready';

/**
 * Makes `candidate` an offer, from WELCOME to the newline on the ready pipe, and resolves with the status text that stood
 * before it. The predecessor serves all the while and has changed nothing when this resolves: committing is the caller's
 * next step. Rejects, having told the candidate by ABORT, when anything goes wrong: then nothing has happened.
 */
export async function makeOffer(
  candidate: Candidate,
  offer: Offer,
  signal: AbortSignal,
  onPhase: (phase: OfferPhase) => void,
): Promise<string> {
  const { channel } = candidate;
  const { control } = channel;
  try {
    using ready = new ReadyPipe();
    const descriptors = [...offer.descriptors, { name: readyName, fd: ready.writer }];
    control.send('WELCOME', welcomePayload(offer.generation));
    control.send('OFFER', {
      mode: offer.mode,
      descriptors: descriptors.map(describeForManifest),
      state: offer.states.map(({ name, late }) => ({ name, late })),
      readyTimeout: offer.readyTimeout,
    });
    onPhase('welcomed');
    await channel.sendDescriptors(
      descriptors.map(({ fd }) => fd),
      signal,
    );
    ready.closeWriter();
    onPhase('descriptors-received');
    for (const state of await untilAborted(offer.saveStates(), signal)) await sendState(control, state, signal);
    onPhase('state-sent');
    const status = await readyOrGone(ready, control, signal);
    trace('received', 'READY', control);
    onPhase('ready');
    return status;
  } catch (error) {
    control.send('ABORT', abortPayload(error));
    throw error;
  }
}

/** The newline, or whatever ends the wait for it: ABORT, the end of the control connection, the signal. */
async function readyOrGone(ready: ReadyPipe, control: Control, signal: AbortSignal): Promise<string> {
  const decided = new AbortController();
  const either = AbortSignal.any([signal, decided.signal]);
  try {
    const nothingElse = control.expect([], either) as Promise<never>;
    return await Promise.race([ready.ready(either), nothingElse]);
  } finally {
    decided.abort();
  }
}

export function welcomePayload(generation: number): JsonObject {
  return { protocol: protocolVersion, pid: process.pid, generation, features: [...features] };
}

/** What ABORT and REFUSED carry for an error. */
export function abortPayload(error: unknown): JsonObject {
  const code = error instanceof HandoffError ? error.code : 'ERR_HANDOFF_ABORTED';
  return { code, message: error instanceof Error ? error.message : String(error) };
}

/** How a successor left the control connection after commit. */
export type Departure =
  /** It went without a word: whoever still drains has to serve again. */
  | 'died'
  /** It has a successor of its own, or was shut down: nothing is to be given back. */
  | 'released';

/** Whoever owns the service after commit: what the predecessor still has to say to it, and how it learns of its death. */
export interface Successor {
  /** Settles, and never rejects, when it is gone. */
  readonly departure: Promise<Departure>;
  /** Settles, and never rejects, when it does not serve any more: before it is gone, where it says so. */
  readonly leaving: Promise<void>;
  /** Whether it accepts on the control path from now on. */
  readonly inheritsControl: boolean;
  /**
   * Settles, and never rejects, when it has shown that it lives after COMMITTED, or is gone, or cannot show it. Before
   * that the predecessor must not leave: the newline may have been the last that a process has done.
   */
  readonly settled: Promise<void>;
  /** Tells it that it is the owner now; `drainTimeout` in milliseconds. */
  committed(drainTimeout: number, mode: Mode): void;
  lateStates(states: readonly SavedState[], signal: AbortSignal): Promise<void>;
  /** Which established connections it can take. */
  readonly takesConnections: ConnectionsTaken;
  /**
   * Gives it a batch of established connections; resolves with those that it has adopted. The next may follow when
   * `received` was called.
   */
  sendConnections(batch: readonly Departing[], received: () => void): Promise<Set<Departing>>;
  /** The last word: this process is drained, and leaves. */
  drained(report: JsonObject): Promise<void>;
  /** Answers it, and those after it, what this process's drain waits for. */
  answer(answers: DrainAnswers): void;
  /** Gives it the debugger's port, for the moment when that is free; whether it has any use for it. */
  passDebugger(address: DebuggerAddress): boolean;
  /** For one beside this process: its role goes to somebody else, so it must not step in when this one leaves. */
  release(): void;
}

/** A successor at the other end of a channel. */
export class Succession implements Successor {
  readonly inheritsControl = true;
  readonly #channel: SendingChannel;
  readonly departure: Promise<Departure>;
  readonly leaving: Promise<void>;
  readonly settled: Promise<void>;

  readonly takesConnections: ConnectionsTaken;
  readonly #connections: ConnectionSender;
  readonly #takesDebugger: boolean;

  /** @param onUnclaimed is given the names that the successor has no use for */
  constructor({ channel, hello }: Candidate, onUnclaimed: (names: string[]) => void) {
    this.#channel = channel;
    this.takesConnections = connectionsTaken(hello.features);
    this.#takesDebugger = hello.features.includes(debuggerFeature);
    this.#connections = new ConnectionSender(channel);
    let departure: Departure = 'died';
    this.leaving = new Promise((resolve) => {
      channel.control.on('RELEASED', () => {
        departure = 'released';
        resolve();
      });
      void channel.control.closed.then(resolve);
    });
    const answered = new Promise<void>((resolve) => {
      channel.control.on('UNCLAIMED', (frame: Frame) => {
        resolve();
        onUnclaimed(readArray(frame, 'names', isString));
      });
    });
    this.departure = channel.control.closed.then(async () => {
      // A connection can break while the successor lives and serves: to serve again beside it would make two owners.
      if (departure === 'died') await channel.laneEnd();
      channel[Symbol.dispose]();
      return departure;
    });
    const answers = hello.features.includes(unclaimedFeature);
    this.settled = answers ? Promise.race([answered, channel.control.closed]) : Promise.resolve();
  }

  committed(drainTimeout: number, mode: Mode): void {
    this.#channel.control.send('COMMITTED', { drainTimeout, mode });
  }

  async lateStates(states: readonly SavedState[], signal: AbortSignal): Promise<void> {
    for (const state of states) await sendState(this.#channel.control, state, signal);
  }

  sendConnections(batch: readonly Departing[], received: () => void): Promise<Set<Departing>> {
    return this.#connections.send(batch, received);
  }

  async drained(report: JsonObject): Promise<void> {
    this.#channel.control.send('DRAINED', { report });
    await this.#channel.end();
  }

  answer(answers: DrainAnswers): void {
    answerInquiries(this.#channel.control, answers);
  }

  passDebugger({ host, port }: DebuggerAddress): boolean {
    if (this.#takesDebugger) this.#channel.control.send('DEBUGGER', { host, port });
    return this.#takesDebugger;
  }

  release(): void {
    this.#channel.control.send('RELEASED', {});
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]();
  }
}
