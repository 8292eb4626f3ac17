import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Frame, Json } from '../../../lib/channel/frame.ts';
import { isStateEntry, type SavedState, StateAssembler, sendState } from '../../../lib/transaction/state.ts';
import { ChannelPair } from '../../support/channel-pair.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';

let descriptors: DescriptorCheck;
let pair: ChannelPair;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  pair = new ChannelPair();
});

afterEach(async () => {
  pair[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

/** Sends a state over a real connection; what came of it, and in how many pieces. */
async function journey(state: SavedState): Promise<{ arrived: SavedState; pieces: number }> {
  const sent = sendState(pair.sending.control, state, never);
  const assembler = new StateAssembler();
  for (let pieces = 1; ; pieces++) {
    const arrived = assembler.take(await pair.receiving.control.expect(['STATE'], never));
    if (arrived === null) continue;
    await sent;
    return { arrived, pieces };
  }
}

describe('a state arrives as it was', () => {
  it.each<[string, Json]>([
    ['null', null],
    ['false', false],
    ['a number', 0.1],
    ['text', 'größer 🦔'],
    ['an empty text', ''],
    ['an empty list', []],
    ['an object', { deep: [{ er: { and: null } }] }],
  ])('%s', async (_, value) => {
    expect((await journey({ name: 'it', late: false, value })).arrived).toEqual({ name: 'it', late: false, value });
  });

  it('bytes', async () => {
    const value = Uint8Array.from({ length: 256 }, (_, index) => index);
    const { arrived, pieces } = await journey({ name: 'bytes', late: true, value });
    expect(arrived).toEqual({ name: 'bytes', late: true, value: Buffer.from(value) });
    expect(pieces).toBe(1);
  });

  it('a part of a larger memory', async () => {
    const value = new Uint8Array(Buffer.from('0123456789').buffer.slice(0)).subarray(3, 5);
    expect((await journey({ name: 'part', late: false, value })).arrived.value).toEqual(Buffer.from(value));
  });

  it('no bytes at all', async () => {
    const { arrived } = await journey({ name: 'none', late: false, value: new Uint8Array() });
    expect(arrived.value).toEqual(Buffer.alloc(0));
  });

  it.each([
    [1024 * 1024, 1],
    [1024 * 1024 + 1, 2],
    [3 * 1024 * 1024, 3],
  ])('%i bytes in %i pieces', async (length, expected) => {
    const value = Buffer.alloc(length, 'fd-handoff');
    const { arrived, pieces } = await journey({ name: 'large', late: false, value });
    expect((arrived.value as Buffer).equals(value)).toBe(true);
    expect(pieces).toBe(expected);
  });

  it('3 MiB of JSON, cut in the middle of a character', async () => {
    const value = `a${'ü'.repeat(1.5 * 1024 * 1024)}`;
    const { arrived, pieces } = await journey({ name: 'text', late: false, value });
    expect(arrived.value === value).toBe(true);
    expect(pieces).toBe(4);
  });
});

it('what is not JSON is the fault of save(), and says so', async () => {
  const state = { name: 'broken', late: false, value: undefined as unknown as Json };
  await expect(sendState(pair.sending.control, state, never)).rejects.toThrow(
    'The state "broken" cannot be handed over: its save() returned undefined',
  );
});

it('does not wait for a receiver that does not read', async () => {
  pair.receivingSocket.pause();
  const controller = new AbortController();
  const value = Buffer.alloc(8 * 1024 * 1024);
  const sent = sendState(pair.sending.control, { name: 'large', late: false, value }, controller.signal);
  controller.abort();
  await expect(sent).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
});

describe('the assembler', () => {
  function piece(name: string, last: boolean, text: string, encoding = 'json'): Frame {
    return { name: 'STATE', payload: { name, last, encoding, late: false }, bytes: Buffer.from(text) };
  }

  it('keeps states apart whose pieces alternate', () => {
    const assembler = new StateAssembler();
    expect(assembler.take(piece('a', false, '[1,'))).toBeNull();
    expect(assembler.take(piece('b', false, '{"x"'))).toBeNull();
    expect(assembler.take(piece('a', true, '2]'))?.value).toEqual([1, 2]);
    expect(assembler.take(piece('b', true, ':3}'))?.value).toEqual({ x: 3 });
  });

  it('starts afresh after the last piece', () => {
    const assembler = new StateAssembler();
    expect(assembler.take(piece('a', true, '1'))?.value).toBe(1);
    expect(assembler.take(piece('a', true, '2'))?.value).toBe(2);
  });

  it('refuses what is not JSON, by name', () => {
    expect(() => new StateAssembler().take(piece('a', true, '{'))).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_PROTOCOL', message: expect.stringContaining('"a"') }),
    );
  });

  it('refuses a piece without a name', () => {
    expect(() => new StateAssembler().take({ name: 'STATE', payload: {}, bytes: Buffer.alloc(0) })).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_PROTOCOL' }),
    );
  });
});

it('entries of an offer are told from anything else', () => {
  expect(isStateEntry({ name: 'a', late: false })).toBe(true);
  for (const wrong of [null, [], 'a', { name: 'a' }, { late: true }, { name: 1, late: true }]) {
    expect(isStateEntry(wrong as Json)).toBe(false);
  }
});
