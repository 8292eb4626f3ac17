import { lookup } from 'node:dns/promises';
import { isIP, isIPv6, SocketAddress } from 'node:net';
import { resolve } from 'node:path';
import { badPort } from '../../fd/arguments.ts';

/** Where a listener is wanted, as the caller wrote it. */
export interface AddressOptions {
  /** 0 to 65535, or that as a string (`process.env.PORT`); 0 takes any free port and keeps it across replacements. */
  readonly port?: number | string;
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
  if (port === undefined) {
    throw invalidValue(
      'Give "port" or "path": there is no default to listen on. A variable that is not set, such as process.env.PORT, wants a default: process.env.PORT ?? 8080.',
    );
  }
  const number = readPort(port);
  if (host === undefined || host === null || host === '') {
    return { family: 'tcp', host: null, address: '::', port: number };
  }
  if (typeof host !== 'string') throw invalidType('host', 'a string', host);
  if (isIP(host.replace(/%.*$/, '')) !== 0) return { family: 'tcp', host, address: canonical(host), port: number };
  const [address, ...otherAddresses] = await addressesOf(host);
  return { family: 'tcp', host, address: address as string, otherAddresses, port: number };
}

/** As Node reads one: also the string of a variable, in whichever notation JavaScript has for a number. */
function readPort(port: unknown): number {
  if (typeof port !== 'number' && typeof port !== 'string') {
    throw invalidType('port', 'a number or a numeric string', port);
  }
  const number = typeof port === 'string' && port.trim() === '' ? Number.NaN : Number(port);
  if (Number.isInteger(number) && number >= 0 && number <= 65535) return number;
  throw badPort('options.port', port);
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map((found) => canonical(found.address));
  } catch (error) {
    // What a host is taken for that is none, first of all where it comes from a configuration.
    const advice = host.includes('://')
      ? 'A host is a name or an address, and no URL.'
      : /^\[.*\]$/.test(host)
        ? 'An IPv6 address stands here without brackets.'
        : /:\d+$/.test(host)
          ? 'Give the port as "port", and the host without it.'
          : 'Give a name that this machine knows, an address that it has, or no host at all for every address.';
    const { message, code, errno, syscall } = error as NodeJS.ErrnoException;
    const told = new Error(`${message}. ${advice}`, { cause: error });
    throw Object.assign(told, { code, errno, syscall, hostname: host });
  }
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
