import type { ReceivingChannel, SendingChannel } from '../channel/channel.ts';
import { encodeFrame, type Frame, isObject, type Json, type JsonObject, readArray } from '../channel/frame.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';

/** What a peer says in `features` when it can take established connections. */
export const connectionsFeature = 'connections';

/** What a peer says in `features` that gives back to an HTTP connection what the predecessor's application knows of it. */
export const connectionMemoryFeature = 'connection-memory';

/** What a peer can take: no connection, or bare HTTP ones, or also those of which the application knows something. */
export type ConnectionsTaken = 'none' | 'bare' | 'remembered';

export function connectionsTaken(features: readonly string[]): ConnectionsTaken {
  if (!features.includes(connectionsFeature)) return 'none';
  return features.includes(connectionMemoryFeature) ? 'remembered' : 'bare';
}

/** An established connection that is to go to the successor. */
export interface Departing {
  /** Who judges it on the other side: a listener of that name, or what the application has registered. */
  readonly route: string;
  /** Borrowed; nobody may read from it from now on, and it must stay open until the transfer has settled. */
  readonly fd: number;
  /** What was read from it and not consumed. */
  readonly head: Buffer;
  /** What the application says of it. */
  readonly data: Json;
  /** Who is at the other end, for those who cannot ask the kernel. */
  readonly remote: JsonObject | null;
}

/** An established connection that has come from the predecessor. */
export interface Arriving {
  readonly route: string;
  /** Taken over by who adopts it. */
  readonly descriptor: OwnedFd;
  readonly head: Buffer;
  readonly data: Json;
}

interface Entry extends JsonObject {
  id: number;
  route: string;
  head: number;
}

/** A batch that the successor has not answered for. */
interface Batch {
  readonly ids: readonly number[];
  readonly received: () => void;
  readonly adopted: (ids: readonly number[]) => void;
}

/** Sends established connections. The successor answers for the batches in their order. */
export class ConnectionSender {
  readonly #channel: SendingChannel;
  /** On the lane, as far as it is known: one at most, if callers wait for `received`. */
  readonly #onLane: Batch[] = [];
  /** This process keeps its copies until ADOPTED, so that a successor that dies between the two has lost nothing. */
  readonly #unanswered: Batch[] = [];
  #nextId = 1;

  constructor(channel: SendingChannel) {
    this.#channel = channel;
    channel.control.on('RECEIVED', () => this.#received());
    channel.control.on('ADOPTED', (frame) => this.#adopted(frame));
  }

  /**
   * Sends a batch of at most 64, and resolves with those that the successor has adopted once it has answered. What it has
   * not adopted, or all of it where the successor dies before it answers, is still this process's, and nobody else's.
   *
   * @param received is called when the successor has taken the batch from the lane: only now may the next be sent
   */
  async send(connections: readonly Departing[], received: () => void): Promise<Set<Departing>> {
    const { control } = this.#channel;
    if (!control.open || connections.length === 0) return new Set();
    const departing = new Map(connections.map((one) => [this.#nextId++, one]));
    const entries = [...departing].map(([id, { route, data, remote, head }]): Entry => {
      return { id, route, remote, data, head: head.length };
    });
    // First of all, because it throws where a frame would be too large: a batch on the lane that no frame announces
    // would be taken for the next one's.
    const frame = encodeFrame('CONNECTIONS', { entries }, Buffer.concat(connections.map(({ head }) => head)));
    this.#channel.putBatch(connections.map(({ fd }) => fd));
    const answered = new Promise<readonly number[]>((adopted) => {
      const batch: Batch = { ids: [...departing.keys()], received, adopted };
      this.#onLane.push(batch);
      this.#unanswered.push(batch);
    });
    control.sendEncoded('CONNECTIONS', frame);
    // No deadline: a successor that is stopped has the batch in its lane, and would serve it when it goes on. Only an
    // answer or its death says whose these connections are.
    const ids = await Promise.race([answered, control.closed.then((): number[] => [])]);
    return new Set(ids.flatMap((id) => departing.get(id) ?? []));
  }

  #received(): void {
    this.#onLane.shift()?.received();
  }

  #adopted(frame: Frame): void {
    const ids = readArray(frame, 'ids', (value): value is number => typeof value === 'number');
    // The oldest, unless its numbers say that it is another: taken for the wrong one, its connections would have two owners.
    const named = this.#unanswered.findIndex((batch) => ids.some((id) => batch.ids.includes(id)));
    const [batch] = this.#unanswered.splice(Math.max(named, 0), 1);
    if (batch === undefined) return;
    // Who serves connections has received them, be it said or not.
    const onLane = this.#onLane.indexOf(batch);
    if (onLane >= 0) {
      this.#onLane.splice(onLane, 1);
      batch.received();
    }
    batch.adopted(ids);
  }
}

/** Takes the connections that a CONNECTIONS frame announces, gives each to `adopt`, and says which were adopted. */
export function receiveConnections(
  channel: ReceivingChannel,
  frame: Frame,
  adopt: (connection: Arriving) => boolean,
): void {
  const entries = readArray(frame, 'entries', isEntry);
  const ids: number[] = [];
  let descriptors: OwnedFd[];
  try {
    descriptors = channel.takeBatchOf(entries.length);
  } catch (error) {
    // At the limit of descriptors the kernel gives some and drops the rest; all that came was closed. The predecessor
    // still has every one of them, and serves on.
    if (!(error instanceof HandoffError) || error.code !== 'ERR_HANDOFF_TRUNCATED') throw error;
    descriptors = [];
  }
  channel.control.send('RECEIVED', { count: descriptors.length });
  let start = 0;
  for (const [index, descriptor] of descriptors.entries()) {
    const { id, route, head, data } = entries[index] as Entry;
    const bytes = frame.bytes.subarray(start, start + head);
    start += head;
    if (adopt({ route, descriptor, head: bytes, data: data ?? null })) ids.push(id);
    else descriptor.close();
  }
  channel.control.send('ADOPTED', { ids });
}

function isEntry(value: Json): value is Entry {
  return (
    isObject(value) &&
    Number.isSafeInteger(value.id) &&
    typeof value.route === 'string' &&
    Number.isSafeInteger(value.head) &&
    (value.head as number) >= 0
  );
}
