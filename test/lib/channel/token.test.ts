import { expect, it } from 'vitest';
import { encodeFrame, maximumFrameLength } from '../../../lib/channel/frame.ts';
import {
  createToken,
  isToken,
  parseTokenLine,
  startsLane,
  tokenLine,
  tokenLineLength,
} from '../../../lib/channel/token.ts';

it('makes tokens of 32 hexadecimal characters, each another one', () => {
  const tokens = Array.from({ length: 100 }, createToken);
  expect(tokens.every(isToken)).toBe(true);
  expect(new Set(tokens).size).toBe(100);
});

it('reads what it wrote', () => {
  const token = createToken();
  const line = tokenLine(token);
  expect(line.length).toBe(tokenLineLength);
  expect(parseTokenLine(line)).toBe(token);
});

it.each([
  ['nothing', ''],
  ['one character too few', `${'a'.repeat(31)}\n`],
  ['no newline', 'a'.repeat(33)],
  ['one character too many', `${'a'.repeat(33)}\n`],
  ['capitals', `${'A'.repeat(32)}\n`],
  ['another alphabet', `${'g'.repeat(32)}\n`],
  ['a newline inside', `${'a'.repeat(31)}\n\n`],
])('reads no token from %s', (_, line) => {
  expect(parseTokenLine(Buffer.from(line, 'latin1'))).toBeNull();
});

it.each([undefined, null, 1, '', 'a'.repeat(31), ['a'.repeat(32)]])('does not take %s for a token', (value) => {
  expect(isToken(value)).toBe(false);
});

it('tells a lane from a control connection by the first byte', () => {
  for (const character of '0123456789abcdef') expect(startsLane(character.charCodeAt(0))).toBe(true);
  const largest = Buffer.alloc(4);
  largest.writeUInt32BE(maximumFrameLength);
  expect(startsLane(largest[0] as number)).toBe(false);
  expect(startsLane(encodeFrame('HELLO', {})[0] as number)).toBe(false);
});
