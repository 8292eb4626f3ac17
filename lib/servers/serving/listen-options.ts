import {
  invalidType,
  invalidValue,
  MAXIMUM_INTEGER,
  validateBoolean,
  validateInteger,
  validateObject,
  validateOneOf,
} from '../../fd/arguments.ts';
import { checkOptionNames } from '../../fd/option-names.ts';
import type { FileOwner } from '../../transaction/path/file-rights.ts';
import type { AddressOptions } from '../binding/address.ts';
import { defaultBacklog, type ListenerOptions } from '../binding/listener.ts';
import type { ConnectionHooks } from '../moving/connection-memory.ts';
import type { ConnectionsLeave } from './served.ts';

/** Where and how `listen()` is to listen. */
export interface ListenOptions extends AddressOptions {
  /** Under which name the successor finds it; by default one made from the address. 1 to 255 characters, no colon. */
  readonly name?: string;
  /**
   * How many connections the kernel may queue; 511 by default, capped by the system (net.core.somaxconn). Another value
   * in the next version is applied when that is ready.
   */
  readonly backlog?: number;
  /**
   * Permissions of a socket file, 0 to 0o777, from its first moment; what the umask leaves by default. Another value in the
   * next version is applied when that owns the service.
   */
  readonly mode?: number;
  /** Whose a socket file is, before anybody can connect. Another one in the next version is applied as its mode is. */
  readonly owner?: FileOwner;
  /** Leaves IPv4 out of a listener on `::`. It cannot be switched on while a listener that takes IPv4 is served. */
  readonly ipv6Only?: boolean;
  /**
   * What becomes of established connections at a handoff. `'move'`, the default: they go to the successor, unclosed, where
   * they can (HTTP/1.1 between two requests; others by `app.move()`). `'drain'`: they end here, announced. With hooks they
   * go, and what the application knows of them goes along; where something reads them before HTTP does (the PROXY
   * protocol), they go with hooks alone. For `http` servers; those of `https` drain, whatever is said.
   */
  readonly connections?: ConnectionsLeave | ConnectionHooks;
  /**
   * SO_REUSEPORT: this listener is one of a group on one port, each with a queue of its own. All of a group are handed
   * over; a version that registers fewer of them serves the others, too. A handoff does not need it.
   */
  readonly reusePort?: boolean;
}

/** Where `hold()` is to listen: what becomes of connections is the business of whoever accepts them. */
export type HoldOptions = Omit<ListenOptions, 'connections'>;

const holdNames: Readonly<Record<keyof HoldOptions, true>> = {
  name: true,
  port: true,
  host: true,
  path: true,
  backlog: true,
  mode: true,
  owner: true,
  ipv6Only: true,
  reusePort: true,
};

const names: Readonly<Record<'listen' | 'hold', Readonly<Record<string, true>>>> = {
  listen: { ...holdNames, connections: true } satisfies Record<keyof ListenOptions, true>,
  hold: holdNames,
};

/** What other libraries, and Node's own `listen()`, call it. */
const otherNames: Readonly<Record<string, string>> = {
  hostname: 'host',
  address: 'host',
  ip: 'host',
  socketPath: 'path',
  unix: 'path',
  file: 'path',
  uid: 'owner',
  user: 'owner',
  readableAll: 'Give "mode": the permissions of the socket file.',
  writableAll: 'Give "mode": the permissions of the socket file.',
  exclusive:
    'A listener is never shared with the workers of node:cluster unless hold() and workers() do it: leave it out.',
  signal: 'Call close() of the server to take it out, or shutdown() to end the process.',
  fd: 'Give it to handoff() as { inherit: [{ name, descriptor }] }, and its name to this call.',
  callback: 'This call returns a promise: await it.',
};

const hookNames: Readonly<Record<keyof ConnectionHooks, true>> = { save: true, restore: true };

const ownerNames: Readonly<Record<keyof FileOwner, true>> = { uid: true, gid: true };

/** The largest number of a user or a group; the one above it means "unchanged" to chown(2). */
const largestId = 2 ** 32 - 2;

/** Reads everything but name and address; throws a TypeError or RangeError like Node's own for what cannot be. */
export function readListenOptions(
  options: ListenOptions,
  method: keyof typeof names = 'listen',
): ListenerOptions & { connections: ConnectionsLeave | ConnectionHooks } {
  if (typeof options !== 'object' || options === null) {
    throw invalidType('options', 'an object that says where: { port: 8080 } or { path: "/run/app.sock" }', options);
  }
  checkOptionNames(`${method}()`, options, names[method], otherNames);
  const {
    backlog = defaultBacklog,
    mode,
    owner,
    ipv6Only = false,
    reusePort = false,
    connections = 'move',
    path,
  } = options;
  validateInteger(backlog, 'options.backlog', 0, MAXIMUM_INTEGER);
  validateBoolean(ipv6Only, 'options.ipv6Only');
  validateBoolean(reusePort, 'options.reusePort');
  if (typeof connections === 'object' && connections !== null) checkConnectionHooks(connections);
  else validateOneOf(connections, 'options.connections', ['move', 'drain']);
  if (mode !== undefined) validateInteger(mode, 'options.mode', 0, 0o777);
  if (owner !== undefined) checkOwner(owner);
  // A wish that cannot come true is told: whoever gives a mode means to keep somebody out.
  if (path === undefined || String(path).startsWith('@')) {
    if (mode !== undefined) throw invalidValue('options.mode', 'given with the path of a socket file only', mode);
    if (owner !== undefined) throw invalidValue('options.owner', 'given with the path of a socket file only', owner);
  }
  if (path !== undefined) {
    if (ipv6Only) throw invalidValue('options.ipv6Only', 'given with a port only', ipv6Only);
    if (reusePort) throw invalidValue('options.reusePort', 'given with a port only', reusePort);
  }
  return { backlog, mode, owner, ipv6Only, reusePort, connections };
}

function checkConnectionHooks(hooks: ConnectionHooks): void {
  checkOptionNames('The connections of listen()', hooks, hookNames);
  for (const name of ['save', 'restore'] as const) {
    if (typeof hooks[name] !== 'function') throw invalidType(`options.connections.${name}`, 'a function', hooks[name]);
  }
}

function checkOwner(owner: FileOwner): void {
  validateObject(owner, 'options.owner');
  checkOptionNames('The owner of a socket file', owner, ownerNames);
  const { uid, gid } = owner;
  if (uid !== undefined) validateInteger(uid, 'options.owner.uid', 0, largestId);
  if (gid !== undefined) validateInteger(gid, 'options.owner.gid', 0, largestId);
}
