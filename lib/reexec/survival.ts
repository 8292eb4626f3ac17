import type { Json } from '../channel/frame.ts';
import { setCloseOnExec } from '../fd/descriptor.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { reexecVariable, takeVariable } from '../process/start/environment.ts';
import type { Arriving } from '../transaction/connection-transfer.ts';
import type { DebuggerAddress } from '../transaction/debugger-address.ts';
import type { Inheritance } from '../transaction/inheritance.ts';
import { InheritedDescriptors } from '../transaction/inherited-descriptors.ts';
import {
  describeForManifest,
  type Inherited,
  type ManifestEntry,
  type NamedDescriptor,
  verifyDescriptor,
} from '../transaction/manifest.ts';
import type { SavedState } from '../transaction/state.ts';
import { readExecRecord, writeExecRecord } from './exec-record.ts';
import { childrenOfThisProcess, FormerChildren } from './former-children.ts';

/** What is written down before an exec, for the image after it. */
interface Record {
  readonly generation: number;
  readonly entries: readonly ManifestEntry[];
  readonly fds: readonly number[];
  readonly states: readonly { name: string; late: boolean; bytes: string | null; json: string | null }[];
  readonly connections: readonly { route: string; fd: number; head: string; data: Json }[];
  /** Absent where an older version of this library has written it. */
  readonly children?: readonly number[];
  /** The same. */
  readonly debugger?: DebuggerAddress | null;
}

/** What survived the exec of this process: its own descriptors and state. */
export class Survival extends InheritedDescriptors implements Inheritance, Disposable {
  readonly rehearsed = false;
  readonly generation: number;
  readonly predecessor: { readonly pid: number; readonly generation: number };
  /** The port of the image before, which its end has closed; null where it had none. */
  readonly debugger: DebuggerAddress | null;
  readonly #states: Map<string, SavedState>;
  #connections: readonly Arriving[];

  private constructor(
    generation: number,
    inherited: readonly Inherited[],
    states: Map<string, SavedState>,
    connections: readonly Arriving[],
    debuggerAddress: DebuggerAddress | null,
  ) {
    super(inherited);
    this.#connections = connections;
    this.generation = generation + 1;
    this.predecessor = { pid: process.pid, generation };
    this.#states = states;
    this.debugger = debuggerAddress;
  }

  /**
   * Reads what the image before this one has left; null where there is none. The variable is removed at once: a helper
   * that this process starts would take descriptors for its own that it does not have.
   */
  static take(environment: NodeJS.ProcessEnv = process.env): Survival | null {
    const value = takeVariable(environment, reexecVariable);
    if (value === undefined) return null;
    if (!/^\d{1,9}$/.test(value)) throw unreadable(value, 'it is no descriptor number');
    using file = new OwnedFd(Number(value), 'the record of what survived the exec');
    const record = readRecord(file, value);
    FormerChildren.waitFor(record.children ?? []);
    const inherited = record.entries.map((entry, index): Inherited => {
      const fd = record.fds[index] as number;
      setCloseOnExec(fd, true);
      const descriptor = new OwnedFd(fd, `the descriptor "${entry.name}"`);
      verifyDescriptor(entry, descriptor);
      return { entry, descriptor };
    });
    const states = record.states.map(({ name, late, bytes, json }): [string, SavedState] => [
      name,
      { name, late, value: bytes === null ? JSON.parse(json as string) : Buffer.from(bytes, 'base64') },
    ]);
    const connections = record.connections.map(({ route, fd, head, data }): Arriving => {
      setCloseOnExec(fd, true);
      const descriptor = new OwnedFd(fd, `a connection of "${route}"`);
      return { route, descriptor, head: Buffer.from(head, 'base64'), data };
    });
    return new Survival(record.generation, inherited, new Map(states), connections, record.debugger ?? null);
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
    this.closeHeld();
  }
}

/** Writes down what is to survive. The caller names the file's descriptor in the environment of the next image. */
export function recordForExec(
  file: OwnedFd,
  generation: number,
  descriptors: readonly NamedDescriptor[],
  states: readonly SavedState[],
  connections: readonly Arriving[],
  debuggerAddress: DebuggerAddress | null,
): void {
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
    children: childrenOfThisProcess(),
    debugger: debuggerAddress,
  };
  writeExecRecord(file, record);
}

function readRecord(file: OwnedFd, value: string): Record {
  try {
    return readExecRecord(file) as Record;
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
