import { randomBytes } from 'node:crypto';

/** What pairs a lane with its control connection: 32 hexadecimal characters, written on the lane with a newline. */
export type Token = string & { readonly brand: 'token' };

/** The length of a token on the lane, its newline included. */
export const tokenLineLength = 33;

/** Makes what pairs a lane with its control connection: 32 hexadecimal characters, at random. */
export function createToken(): Token {
  return randomBytes(16).toString('hex') as Token;
}

/** Whether a HELLO, or the first line of a lane, has one. */
export function isToken(value: unknown): value is Token {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}

export function tokenLine(token: Token): Buffer {
  return Buffer.from(`${token}\n`, 'latin1');
}

/** Reads a whole token line; null where it is none. */
export function parseTokenLine(line: Buffer): Token | null {
  if (line.length !== tokenLineLength || line[tokenLineLength - 1] !== 0x0a) return null;
  const token = line.toString('latin1', 0, tokenLineLength - 1);
  return isToken(token) ? token : null;
}

/**
 * Whether a connection that starts with this byte is a lane. A control connection starts with the high byte of a frame
 * length, which is 0 or 1; a lane starts with a hexadecimal character.
 */
export function startsLane(firstByte: number): boolean {
  return firstByte >= 0x30;
}
