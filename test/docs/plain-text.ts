import { expect } from 'vitest';
import type { Block } from '../support/page.ts';

const dumpLine = /^([0-9a-f]{4})((?: {1,2}[0-9a-f]{2}){1,16}) +(.{1,16})$/;

/** What is no code: output, sketches. Of bytes both columns have to say the same. */
export function checkText({ text }: Block): string {
  if (!dumpLine.test(text.split('\n')[0] ?? '')) return 'blocks of plain text';
  let offset = 0;
  for (const line of text.trimEnd().split('\n')) {
    const [, place = '', hexadecimal = '', characters] = dumpLine.exec(line) ?? [];
    const bytes = Buffer.from(hexadecimal.replaceAll(' ', ''), 'hex');
    expect(Number.parseInt(place, 16)).toBe(offset);
    expect([...bytes].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')).toBe(
      characters,
    );
    offset += bytes.length;
  }
  return 'dumps of bytes compared';
}
