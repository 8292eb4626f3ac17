import { expect, it } from 'vitest';
import type { JsonObject } from '../../../lib/channel/frame.ts';
import { readDebuggerAddress } from '../../../lib/transaction/debugger-address.ts';

const read = (payload: JsonObject) => readDebuggerAddress({ name: 'DEBUGGER', payload, bytes: Buffer.alloc(0) });

it('reads an address', () => {
  expect(read({ host: '::1', port: 9229 })).toEqual({ host: '::1', port: 9229 });
});

it('is none where there is none', () => {
  for (const port of [0, 65_536, 1.5, '9229', null]) expect(read({ host: '127.0.0.1', port })).toBe(null);
  for (const host of ['', 1, null]) expect(read({ host, port: 9229 })).toBe(null);
  expect(read({})).toBe(null);
});
