import { inspect } from 'node:util';
import { type CallSite, putCodeInStack } from './coded-stack.ts';

/** The largest descriptor number and the largest `int`. */
export const MAXIMUM_INTEGER = 2_147_483_647;

function received(value: unknown): string {
  if (value === null || value === undefined) return `Received ${value}`;
  if (typeof value === 'function') return `Received function ${value.name}`;
  if (typeof value === 'object') {
    const name: unknown = value.constructor?.name;
    return typeof name === 'string' && name !== '' ? `Received an instance of ${name}` : `Received ${inspect(value)}`;
  }
  const text = inspect(value);
  return `Received type ${typeof value} (${text.length > 28 ? `${text.slice(0, 25)}...` : text})`;
}

function withCode<E extends Error>(error: E, code: string, hide: CallSite): E & { code: string } {
  putCodeInStack(error, code, hide);
  return Object.assign(error, { code });
}

/** `The "fd" argument must be of type number. Received undefined` */
export function invalidType(name: string, expected: string, value: unknown): TypeError {
  return withCode(
    new TypeError(`The "${name}" argument must be ${expected}. ${received(value)}`),
    'ERR_INVALID_ARG_TYPE',
    invalidType,
  );
}

/** `The value of "port" is out of range. It must be >= 0 && <= 65535. Received 65536` */
export function outOfRange(name: string, range: string, value: unknown): RangeError {
  return withCode(
    new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`),
    'ERR_OUT_OF_RANGE',
    outOfRange,
  );
}

/** `options.port should be >= 0 and < 65536. Received type string ('').` */
export function badPort(name: string, value: unknown): RangeError {
  return withCode(
    new RangeError(`${name} should be >= 0 and < 65536. ${received(value)}.`),
    'ERR_SOCKET_BAD_PORT',
    badPort,
  );
}

/** `The argument 'address' must be a numeric IPv4 or IPv6 address. Received 'localhost'` */
export function invalidValue(name: string, expected: string, value: unknown): TypeError {
  return withCode(
    new TypeError(`The argument '${name}' must be ${expected}. Received ${inspect(value)}`),
    'ERR_INVALID_ARG_VALUE',
    invalidValue,
  );
}

/** An integer within both bounds. */
export function validateInteger(
  value: unknown,
  name: string,
  minimum: number,
  maximum: number,
): asserts value is number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < minimum || value > maximum) throw outOfRange(name, `>= ${minimum} && <= ${maximum}`, value);
}

/** A descriptor number. Whether it is open is for the system to say (EBADF). */
export function validateFd(value: unknown, name = 'fd'): asserts value is number {
  // The check of the ordinary case by itself, because this stands in front of every call.
  if (typeof value === 'number' && (value | 0) === value && value >= 0) return;
  validateInteger(value, name, 0, MAXIMUM_INTEGER);
}

/** An array of descriptor numbers; returns how many there are. */
export function validateFds(value: unknown, name: string): number {
  if (!Array.isArray(value)) throw invalidType(name, 'an instance of Array', value);
  for (let index = 0; index < value.length; index++) {
    const fd: unknown = value[index];
    // The name of an element is made for the error only.
    if (typeof fd !== 'number' || (fd | 0) !== fd || fd < 0) validateFd(fd, `${name}[${index}]`);
  }
  return value.length;
}

export function validateBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidType(name, 'of type boolean', value);
}

/** A string that C can take: a NUL byte in it would silently end it there. */
export function validateString(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value);
  if (value.includes('\0')) throw invalidValue(name, 'a string without null bytes', value);
}

/** The path of a Unix socket, or `@name`. */
export function validatePath(value: unknown, name: string): asserts value is string {
  validateString(value, name);
  // An empty address would make Linux choose an abstract one.
  if (value === '' || value === '@') throw invalidValue(name, 'a path, or @ and a name', value);
}

export function validateStrings(value: unknown, name: string): asserts value is readonly string[] {
  if (!Array.isArray(value)) throw invalidType(name, 'an instance of Array', value);
  for (const [index, element] of value.entries()) validateString(element, `${name}[${index}]`);
}

export function validateBytes(value: unknown, name: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalidType(name, 'an instance of Buffer or Uint8Array', value);
}

export function validateObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidType(name, 'of type object', value);
  }
}

/** One of a few words. */
export function validateOneOf<const T extends string>(
  value: unknown,
  name: string,
  allowed: readonly T[],
): asserts value is T {
  if ((allowed as readonly unknown[]).includes(value)) return;
  throw invalidValue(name, `one of: ${allowed.map((word) => `'${word}'`).join(', ')}`, value);
}
