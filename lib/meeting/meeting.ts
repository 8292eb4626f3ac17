import { HandoffError } from '../fd/handoff-error.ts';
import { readHello, takesDescriptors } from '../transaction/hello.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';
import { abortPayload, type Candidate, Succession, type Successor } from '../transaction/predecessor.ts';
import { ReadyPipe } from '../transaction/ready-pipe.ts';
import { ProgramSuccession } from './program-succession.ts';
import { SpawnedSuccessor, type SpawnOptions } from './spawned-successor.ts';

/** Somebody who has come to succeed this process. */
export type Meeting =
  /** It speaks the protocol, and waits for an offer. */
  | {
      readonly how: 'channel';
      readonly candidate: Candidate;
      readonly pid: number;
      readonly spawned: SpawnedSuccessor | null;
    }
  /** It has inherited everything at its start, and has said that it is ready. */
  | { readonly how: 'ready'; readonly pid: number; readonly spawned: SpawnedSuccessor };

/** How a successor is to be started. */
export interface SuccessorStart extends Omit<SpawnOptions, 'program'> {
  /** What a program inherits that may know nothing of this library; null for one that does. */
  readonly listeners: readonly NamedDescriptor[] | null;
}

/** Starts a successor, and waits for its first word. One that fails is ended, and the error says how it ended. */
export async function startSuccessor({ listeners, ...start }: SuccessorStart, signal: AbortSignal): Promise<Meeting> {
  using ready = listeners === null ? null : new ReadyPipe();
  const program = ready === null || listeners === null ? null : { listeners, ready: ready.writer };
  const spawned = await SpawnedSuccessor.spawn({ ...start, program }, signal);
  ready?.closeWriter();
  try {
    return await firstWord(spawned, ready, signal);
  } catch (error) {
    spawned.channel.control.send('ABORT', abortPayload(error));
    void spawned.channel.end();
    throw await endFailed(spawned, error as Error);
  }
}

/** What a spawned successor says first: HELLO, or, where it does not use this library, that it is ready. */
export async function firstWord(
  spawned: SpawnedSuccessor,
  ready: ReadyPipe | null,
  signal: AbortSignal,
): Promise<Meeting> {
  const { pid } = spawned;
  // Its helpers may hold the connections open when it has long failed.
  const exited = spawned.exited.then(({ code, signal: killer }): never => {
    const how = killer === null ? `with code ${code}` : `by ${killer}`;
    throw new HandoffError('ERR_HANDOFF_SUCCESSOR_EXITED', `The successor (process ${pid}) exited ${how}.`);
  });
  if (ready === null) return Promise.race([greeting(spawned, signal), exited]);
  const decided = new AbortController();
  const either = AbortSignal.any([signal, decided.signal]);
  try {
    const serving = ready.ready(either).then((): Meeting => ({ how: 'ready', pid, spawned }));
    // A program that closes descriptors it does not know, or does not know what to do with a ready pipe that it hands
    // on, has not failed: only when both ways to be heard are gone nothing can come any more.
    const heard = Promise.any([greeting(spawned, either), serving]).catch((errors: AggregateError) => {
      throw errors.errors[0];
    });
    return await Promise.race([heard, exited]);
  } finally {
    decided.abort();
  }
}

async function greeting(spawned: SpawnedSuccessor, signal: AbortSignal): Promise<Meeting> {
  const { channel, pid } = spawned;
  const hello = readHello(await channel.control.expect(['HELLO'], signal));
  if (!takesDescriptors(hello.intent)) {
    throw new HandoffError(
      'ERR_HANDOFF_PROTOCOL',
      `The spawned successor came to "${hello.intent}", not to take over.`,
    );
  }
  if (channel.readToken() === hello.token) return { how: 'channel', candidate: { channel, hello }, pid, spawned };
  throw new HandoffError(
    'ERR_HANDOFF_PROTOCOL',
    'The lane of the spawned successor does not bear the token of its HELLO.',
  );
}

/** The one who owns the service now, however it came. */
export function successionOf(meeting: Meeting, onUnclaimed: (names: string[]) => void): Successor {
  if (meeting.how === 'channel') return new Succession(meeting.candidate, onUnclaimed);
  void meeting.spawned.channel.end();
  return new ProgramSuccession(meeting.spawned);
}

/** Ends a spawned successor that has failed, and adds what its exit says to the reason. */
export async function endFailed(spawned: SpawnedSuccessor, reason: Error): Promise<Error> {
  if (!(reason instanceof HandoffError)) {
    await spawned.terminate({ hangs: true });
    return reason;
  }
  const exit = await spawned.terminate({ hangs: reason.code === 'ERR_HANDOFF_TIMEOUT' });
  const diedByItself = reason.code === 'ERR_HANDOFF_SUCCESSOR_EXITED';
  return diedByItself ? spawned.failure(exit, reason) : spawned.annotate(reason, exit);
}
