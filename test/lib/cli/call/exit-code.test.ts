import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { exitCodeOf, exitCodes } from '../../../../lib/cli/call/exit-code.ts';

it('means one thing by each code, which a shell can read', () => {
  const codes = Object.values(exitCodes).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.every((code) => code >= 0 && code <= 255)).toBe(true);
});

it('is what docs/command.md says', () => {
  const page = readFileSync(new URL('../../../../docs/command.md', import.meta.url), 'utf8');
  const lines = [...page.matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, code, meaning]) => [Number(code), meaning]);
  expect(lines).toEqual(Object.values(exitCodes).map(({ code, meaning }) => [code, meaning]));
});

it('is that of the program, as a shell has it', () => {
  expect(exitCodeOf({ code: 3, signal: null })).toBe(3);
  expect(exitCodeOf({ code: null, signal: 'SIGTERM' })).toBe(143);
  expect(exitCodeOf({ code: null, signal: null })).toBe(1);
});
