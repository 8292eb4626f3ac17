import { fstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json } from '../channel/frame.ts';
import { createToken } from '../channel/token.ts';
import { setCloseOnExec } from '../fd/descriptor.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import type { Arriving } from '../handoff/connection-transfer.ts';
import type { Inheritance } from '../handoff/inheritance.ts';
import {
  controlName,
  describeForManifest,
  type Inherited,
  type ManifestEntry,
  type NamedDescriptor,
  readyName,
  verifyDescriptor,
} from '../handoff/manifest.ts';
import type { SavedState } from '../handoff/state.ts';
import { reexecVariable } from './environment.ts';

/** What is written down before an exec, for the image after it. */
interface Record {
  readonly generation: number;
  readonly entries: readonly ManifestEntry[];
  readonly fds: readonly number[];
  readonly states: readonly { name: string; late: boolean; bytes: string | null; json: string | null }[];
  readonly connections: readonly { route: string; fd: number; head: string; data: Json }[];
}

/** What survived the exec of this process: its own descriptors and state. */
export class Survival implements Inheritance, Disposable {
  readonly rehearsed = false;
  readonly generation: number;
  readonly predecessor: { readonly pid: number; readonly generation: number };
  readonly #descriptors: Map<string, Inherited>;
  readonly #states: Map<string, SavedState>;
  #connections: readonly Arriving[];

  private constructor(
    generation: number,
    descriptors: Map<string, Inherited>,
    states: Map<string, SavedState>,
    connections: readonly Arriving[],
  ) {
    this.#connections = connections;
    this.generation = generation + 1;
    this.predecessor = { pid: process.pid, generation };
    this.#descriptors = descriptors;
    this.#states = states;
  }

  /**
   * Reads what the image before this one has left; null where there is none. The variable is removed at once: a helper
   * that this process starts would take descriptors for its own that it does not have.
   */
  static take(environment: NodeJS.ProcessEnv = process.env): Survival | null {
    const value = environment[reexecVariable];
    delete environment[reexecVariable];
    if (value === undefined) return null;
    if (!/^\d{1,9}$/.test(value)) throw unreadable(value, 'it is no descriptor number');
    using file = new OwnedFd(Number(value), 'the record of what survived the exec');
    const record = readRecord(file, value);
    const descriptors = new Map<string, Inherited>();
    for (const [index, entry] of record.entries.entries()) {
      const fd = record.fds[index] as number;
      setCloseOnExec(fd, true);
      const descriptor = new OwnedFd(fd, `the descriptor "${entry.name}"`);
      verifyDescriptor(entry, descriptor);
      descriptors.set(entry.name, { entry, descriptor });
    }
    const states = record.states.map(({ name, late, bytes, json }): [string, SavedState] => [
      name,
      { name, late, value: bytes === null ? JSON.parse(json as string) : Buffer.from(bytes, 'base64') },
    ]);
    const connections = record.connections.map(({ route, fd, head, data }): Arriving => {
      setCloseOnExec(fd, true);
      const descriptor = new OwnedFd(fd, `a connection of "${route}"`);
      return { route, descriptor, head: Buffer.from(head, 'base64'), data };
    });
    return new Survival(record.generation, descriptors, new Map(states), connections);
  }

  get unclaimed(): ManifestEntry[] {
    return [...this.#descriptors.values()]
      .map(({ entry }) => entry)
      .filter(({ name }) => name !== readyName && name !== controlName);
  }

  take(name: string): Inherited | null {
    const found = this.#descriptors.get(name) ?? null;
    this.#descriptors.delete(name);
    return found;
  }

  putBack(inherited: Inherited): void {
    this.#descriptors.set(inherited.entry.name, inherited);
  }

  borrow(name: string): number | null {
    return this.#descriptors.get(name)?.descriptor.fd ?? null;
  }

  state(name: string): SavedState | null {
    return this.#states.get(name) ?? null;
  }

  /** The established connections; the caller's from now on. */
  takeConnections(): readonly Arriving[] {
    const connections = this.#connections;
    this.#connections = [];
    return connections;
  }

  /** Closes what nobody took. */
  [Symbol.dispose](): void {
    for (const { descriptor } of this.takeConnections()) descriptor.close();
    for (const { descriptor } of this.#descriptors.values()) descriptor.close();
    this.#descriptors.clear();
  }
}

/**
 * Writes down what is to survive, in a file that has no name any more. The caller names its descriptor in the environment
 * of the next image, and closes it if there is none.
 */
export function recordForExec(
  generation: number,
  descriptors: readonly NamedDescriptor[],
  states: readonly SavedState[],
  connections: readonly Arriving[],
): OwnedFd {
  const record: Record = {
    generation,
    entries: descriptors.map(describeForManifest),
    fds: descriptors.map(({ fd }) => fd),
    states: states.map(({ name, late, value }) =>
      value instanceof Uint8Array
        ? { name, late, bytes: Buffer.from(value).toString('base64'), json: null }
        : { name, late, bytes: null, json: JSON.stringify(value) },
    ),
    connections: connections.map(({ route, descriptor, head, data }) => ({
      route,
      fd: descriptor.fd,
      head: head.toString('base64'),
      data,
    })),
  };
  // Not in the environment: a single variable is limited to 128 KiB, and state is not.
  const path = join(tmpdir(), `fd-handoff-${createToken()}`);
  const file = new OwnedFd(openSync(path, 'wx+', 0o600), 'the record of what survives the exec');
  try {
    unlinkSync(path);
    const text = Buffer.from(JSON.stringify(record));
    for (let written = 0; written < text.length; ) written += writeSync(file.fd, text, written);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

function readRecord(file: OwnedFd, value: string): Record {
  try {
    const text = Buffer.alloc(fstatSync(file.fd).size);
    // From the start of the file: its position is where the writer left it.
    for (let read = 0; read < text.length; ) read += readSync(file.fd, text, read, text.length - read, read);
    return JSON.parse(text.toString('utf8')) as Record;
  } catch (error) {
    throw unreadable(value, (error as Error).message);
  }
}

function unreadable(value: string, why: string): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_PROTOCOL',
    `The environment variable ${reexecVariable} is "${value}", and what survived the exec cannot be read: ${why}. Was it set by hand?`,
  );
}
