import { lookup } from 'node:dns/promises';
import { isIP, isIPv6, SocketAddress } from 'node:net';
import { resolve } from 'node:path';

/** Where a listener is wanted, as the caller wrote it. */
export interface AddressOptions {
  /** 0 to 65535; 0 takes any free port and keeps it across replacements. */
  readonly port?: number;
  /** A name or an address; without it every address of the machine, IPv6 and IPv4 alike where there is IPv6. */
  readonly host?: string;
  /** A Unix socket's path, `@name` for a Linux abstract one; instead of a port. */
  readonly path?: string;
}

/** Where a listener is wanted, resolved. */
export type Address = InternetAddress<'tcp'> | UnixAddress;

/** Where a datagram socket is wanted, resolved. */
export type DatagramAddress = InternetAddress<'udp4' | 'udp6'> | UnixAddress;

interface UnixAddress {
  readonly family: 'unix';
  readonly path: string;
}

interface InternetAddress<Family extends string> {
  readonly family: Family;
  /** What was asked for; null for every address of the machine. */
  readonly host: string | null;
  readonly address: string;
  /** What else the name stands for: which of them comes first can change from one look to the next. */
  readonly otherAddresses?: readonly string[];
  readonly port: number;
}

/** The same, or wherever a listener of that name is: whoever passes it decides. */
export type WantedAddress = Address | { readonly family: 'any'; readonly name: string };

/** Where a listener is, as the kernel tells. */
export interface BoundAddress {
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;
}

/** Reads and resolves what the caller wrote. Throws a TypeError or RangeError like Node's own for what cannot be. */
export async function resolveAddress({ port, host, path }: AddressOptions): Promise<Address> {
  if (path !== undefined) {
    if (typeof path !== 'string' || path === '') throw invalidType('path', 'a non-empty string', path);
    if (port !== undefined) throw invalidValue('Give "port" or "path", not both.');
    // Absolute, because it outlives this process's working directory.
    return { family: 'unix', path: path.startsWith('@') ? path : resolve(path) };
  }
  if (port === undefined) throw invalidValue('Give "port" or "path": there is no default to listen on.');
  if (typeof port !== 'number') throw invalidType('port', 'a number', port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw Object.assign(
      new RangeError(`The value of "port" is out of range. It must be >= 0 and <= 65535. Received ${port}`),
      {
        code: 'ERR_OUT_OF_RANGE',
      },
    );
  }
  if (host === undefined || host === '') return { family: 'tcp', host: null, address: '::', port };
  if (typeof host !== 'string') throw invalidType('host', 'a string', host);
  if (isIP(host.replace(/%.*$/, '')) !== 0) return { family: 'tcp', host, address: canonical(host), port };
  const [address, ...otherAddresses] = (await lookup(host, { all: true })).map((found) => canonical(found.address));
  return { family: 'tcp', host, address: address as string, otherAddresses, port };
}

/** The same for a datagram socket of type `family`, which takes the addresses of that family only. */
export async function resolveDatagramAddress(
  { port, address, path }: Omit<AddressOptions, 'host'> & { readonly address?: string },
  family: 'udp4' | 'udp6',
): Promise<DatagramAddress> {
  if (address !== undefined && typeof address !== 'string') throw invalidType('address', 'a string', address);
  const version = family === 'udp4' ? 4 : 6;
  const host = address === undefined || address === '' ? null : address;
  let numeric = host ?? (family === 'udp4' ? '0.0.0.0' : '::');
  const given = isIP(numeric.replace(/%.*$/, ''));
  if (given === 0) numeric = (await lookup(numeric, version)).address;
  else if (given !== version) {
    throw invalidValue(`The address ${numeric} is not one of IPv${version}, and the socket is of type "${family}".`);
  }
  const resolved = await resolveAddress({
    host: numeric,
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
  });
  return resolved.family === 'unix' ? resolved : { ...resolved, family, host };
}

/** The same where a name alone says what is wanted. */
export async function wantedAddress(
  options: AddressOptions & { readonly name?: string | undefined },
): Promise<WantedAddress> {
  const { port, host, path, name } = options;
  if (name !== undefined && port === undefined && host === undefined && path === undefined) {
    return { family: 'any', name };
  }
  return resolveAddress(options);
}

/** An address as the kernel writes it: `::1` has many spellings, and an inherited listener is found by comparing. */
function canonical(address: string): string {
  const [, bare, zone] = /^([^%]*)(%.*)?$/.exec(address) as unknown as [string, string, string | undefined];
  if (!isIPv6(bare)) return address;
  return new SocketAddress({ address: bare, family: 'ipv6' }).address + (zone ?? '');
}

/**
 * The name of a listener that was given none. Without colons, which separate names in LISTEN_FDNAMES, and without what
 * else may not stand there.
 */
export function defaultName(address: WantedAddress | DatagramAddress): string {
  if (address.family === 'any') return address.name;
  if (address.family === 'unix') return `unix-${address.path.replace(/[^!-9;-~ ]/g, '.')}`;
  const host = address.host === null ? '' : `${address.host.replaceAll(':', '.')}-`;
  return `${address.family}-${host}${address.port}`;
}

/** Whether a listener that is bound to `bound` is what `wanted` asks for. Port 0 asks for whichever it is. */
export function satisfies(bound: BoundAddress, wanted: WantedAddress | DatagramAddress): boolean {
  if (wanted.family === 'any') return true;
  if (wanted.family === 'unix') return bound.path === wanted.path;
  return bound.address === wanted.address && (wanted.port === 0 || wanted.port === bound.port);
}

/** What of an address, or of a line of the manifest, says where. */
export function whereOf({ address, port, path }: BoundAddress): BoundAddress {
  return {
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
  };
}

/** For messages: `127.0.0.1:8080`, `[::1]:8080`, a path. */
export function formatAddress({ address, port, path }: BoundAddress): string {
  if (path !== undefined) return path;
  if (address === undefined) return 'an unnamed address';
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function invalidType(name: string, expected: string, value: unknown): TypeError {
  const received = value === null ? 'null' : typeof value;
  return Object.assign(new TypeError(`The "${name}" option must be ${expected}. Received ${received}`), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

function invalidValue(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}
