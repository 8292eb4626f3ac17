import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** What the failed call was about: a descriptor, a path, or an address with its port. */
export type SystemErrorSubject =
  | { readonly fd: number }
  | { readonly path: string }
  | { readonly address: string; readonly port: number };

/** A failed system call, shaped like Node's own. */
export interface SystemError extends Error {
  /** The error's name, such as `EADDRINUSE`. */
  readonly code: string;
  /** The error's number, negative as in Node. */
  readonly errno: number;
  /** The system call that failed. */
  readonly syscall: string;
  readonly fd?: number;
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
}

// Node's table knows the errors that libuv knows. Too many descriptors in flight is not among them, nor among the
// constants of node:os.
const TOO_MANY_REFERENCES = process.platform === 'linux' ? -109 : -59;

function nameAndMessage(errno: number): readonly [string, string] {
  const known = getSystemErrorMap().get(errno);
  if (known !== undefined) return known;
  if (errno === TOO_MANY_REFERENCES) return ['ETOOMANYREFS', 'too many references: cannot splice'];
  const constant = Object.entries(constants.errno).find(([, number]) => number === -errno);
  return [constant?.[0] ?? `Unknown system error ${errno}`, 'system call failed'];
}

function describeSubject(subject: SystemErrorSubject | undefined): string {
  if (subject === undefined) return '';
  if ('fd' in subject) return `, fd ${subject.fd}`;
  if ('path' in subject) return ` '${subject.path}'`;
  return ` ${subject.address}:${subject.port}`;
}

/**
 * Makes the error for a failed system call, shaped like Node's system errors.
 *
 * @param errno The negative number that the addon returned.
 * @param syscall The name of the call, as its man page has it.
 * @param subject What it was about; its members become the error's.
 */
export function systemError(errno: number, syscall: string, subject?: SystemErrorSubject): SystemError {
  const [code, message] = nameAndMessage(errno);
  const error = new Error(`${syscall} ${code}: ${message}${describeSubject(subject)}`);
  Error.captureStackTrace(error, systemError);
  return Object.assign(error, { errno, code, syscall }, subject);
}
