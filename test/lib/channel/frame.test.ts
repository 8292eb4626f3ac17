import { describe, expect, it } from 'vitest';
import {
  encodeFrame,
  errorFrom,
  type Frame,
  FrameDecoder,
  type FrameName,
  frameTypes,
  isObject,
  isString,
  type JsonObject,
  maximumFrameLength,
  readArray,
  readInteger,
  readString,
} from '../../../lib/channel/frame.ts';

const empty = Buffer.alloc(0);

function frame(name: FrameName, payload: JsonObject, bytes: Buffer = empty): Frame {
  return { name, payload, bytes };
}

/** A frame as no encoder of ours would write it. */
function rawFrame(type: number, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(1 + body.length);
  header[4] = type;
  return Buffer.concat([header, body]);
}

const protocolError = expect.objectContaining({ code: 'ERR_HANDOFF_PROTOCOL' });

describe('encodeFrame', () => {
  it('writes length, type and JSON, big-endian', () => {
    expect(encodeFrame('DESCRIPTORS', { count: 3 })).toEqual(Buffer.from('\x00\x00\x00\x0c\x05{"count":3}', 'latin1'));
  });

  it('puts the length of the JSON before it where bytes follow', () => {
    expect(encodeFrame('STATE', { a: 1 }, Buffer.from('xyz'))).toEqual(
      Buffer.from('\x00\x00\x00\x0f\x07\x00\x00\x00\x07{"a":1}xyz', 'latin1'),
    );
  });

  it('counts bytes and not characters', () => {
    const [decoded] = new FrameDecoder().push(encodeFrame('ABORT', { message: 'größer 🦔' }));
    expect(decoded).toEqual(frame('ABORT', { message: 'größer 🦔' }));
  });

  it('keeps the numbers of protocol version 1', () => {
    expect(frameTypes).toMatchObject({
      HELLO: 1,
      WELCOME: 2,
      REFUSED: 3,
      OFFER: 4,
      DESCRIPTORS: 5,
      RECEIVED: 6,
      STATE: 7,
      COMMITTED: 8,
      ABORT: 9,
      CONNECTIONS: 10,
      ADOPTED: 11,
      DRAINED: 12,
      STATUS: 13,
      PROGRESS: 14,
      RELEASED: 15,
      UNCLAIMED: 16,
      RETIRE: 17,
      INQUIRE: 18,
      GENERATIONS: 19,
      HASTEN: 20,
    });
  });

  it('takes a frame of exactly the limit and refuses one byte more', () => {
    const overhead = encodeFrame('STATE', {}, empty).length - 4;
    const most = Buffer.alloc(maximumFrameLength - overhead, 7);
    const encoded = encodeFrame('STATE', {}, most);
    expect(encoded.readUInt32BE()).toBe(maximumFrameLength);
    const [decoded] = new FrameDecoder().push(encoded);
    expect(decoded?.bytes.equals(most)).toBe(true);
    expect(() => encodeFrame('STATE', {}, Buffer.alloc(most.length + 1))).toThrow(protocolError);
  });
});

describe('FrameDecoder', () => {
  const stream = Buffer.concat([
    encodeFrame('HELLO', { protocol: [1], intent: 'takeover' }),
    encodeFrame('STATE', { name: 's', last: true }, Buffer.from([0, 1, 2, 255])),
    rawFrame(200, Buffer.from('from the future')),
    encodeFrame('RECEIVED', { count: 64 }),
  ]);
  const frames = [
    frame('HELLO', { protocol: [1], intent: 'takeover' }),
    frame('STATE', { name: 's', last: true }, Buffer.from([0, 1, 2, 255])),
    frame('RECEIVED', { count: 64 }),
  ];

  it('reads a stream that is split at any byte', () => {
    for (let at = 0; at <= stream.length; at++) {
      const decoder = new FrameDecoder();
      expect([...decoder.push(stream.subarray(0, at)), ...decoder.push(stream.subarray(at))], `at ${at}`).toEqual(
        frames,
      );
      expect(decoder.pending).toBe(0);
    }
  });

  it('reads a stream that comes byte by byte', () => {
    const decoder = new FrameDecoder();
    const read = [...stream].flatMap((byte) => decoder.push(Buffer.from([byte])));
    expect(read).toEqual(frames);
  });

  it('says how much of a frame it holds', () => {
    const decoder = new FrameDecoder();
    decoder.push(stream.subarray(0, 7));
    expect(decoder.pending).toBe(7);
  });

  it('skips frames of an unknown type, whatever is in them', () => {
    expect(new FrameDecoder().push(rawFrame(99, Buffer.from([0xff, 0])))).toEqual([]);
    expect(new FrameDecoder().push(rawFrame(0, empty))).toEqual([]);
  });

  it('judges a frame by the announced length, before the rest of it has come', () => {
    const announced = Buffer.alloc(4);
    announced.writeUInt32BE(maximumFrameLength + 1);
    expect(() => new FrameDecoder().push(announced)).toThrow(protocolError);
    expect(() => new FrameDecoder().push(Buffer.alloc(4))).toThrow(protocolError);
    announced.writeUInt32BE(maximumFrameLength);
    expect(new FrameDecoder().push(announced)).toEqual([]);
  });

  it.each([
    ['an empty payload', ''],
    ['half a payload', '{"count":'],
    ['an array', '[1]'],
    ['null', 'null'],
    ['a number', '7'],
    ['what is not UTF-8 JSON', '\xff\xfe'],
  ])('refuses %s', (_, json) => {
    expect(() => new FrameDecoder().push(rawFrame(frameTypes.ABORT, Buffer.from(json, 'latin1')))).toThrow(
      protocolError,
    );
  });

  it.each([
    ['no room for the length of its JSON', Buffer.from([0, 0])],
    ['a JSON longer than the frame', Buffer.from('\x00\x00\x00\x09{}', 'latin1')],
    ['a JSON of 4 GiB', Buffer.from('\xff\xff\xff\xff{}', 'latin1')],
  ])('refuses a STATE with %s', (_, body) => {
    expect(() => new FrameDecoder().push(rawFrame(frameTypes.STATE, body))).toThrow(protocolError);
  });

  it('lets nobody reach the prototype of an object', () => {
    const [decoded] = new FrameDecoder().push(rawFrame(frameTypes.ABORT, Buffer.from('{"__proto__":{"code":"x"}}')));
    expect(({} as { code?: string }).code).toBeUndefined();
    expect(Object.getPrototypeOf(decoded?.payload)).toBe(Object.prototype);
  });
});

describe('the readers of fields', () => {
  it('read what belongs there', () => {
    expect(readInteger(frame('RECEIVED', { count: 0 }), 'count')).toBe(0);
    expect(readString(frame('STATE', { name: '' }), 'name')).toBe('');
    expect(readArray(frame('UNCLAIMED', { names: ['a'] }), 'names', isString)).toEqual(['a']);
  });

  it.each([undefined, null, '1', -1, 1.5, Number.MAX_SAFE_INTEGER + 1, true])(
    'refuse %s as a whole number',
    (count) => {
      expect(() => readInteger(frame('RECEIVED', { count: count as number }), 'count')).toThrow(protocolError);
    },
  );

  it('refuse other types', () => {
    expect(() => readString(frame('STATE', { name: 1 }), 'name')).toThrow(protocolError);
    expect(() => readString(frame('STATE', {}), 'name')).toThrow(protocolError);
    expect(() => readArray(frame('UNCLAIMED', { names: 'a' }), 'names', isString)).toThrow(protocolError);
    expect(() => readArray(frame('UNCLAIMED', { names: ['a', 1] }), 'names', isString)).toThrow(protocolError);
    expect([isObject({}), isObject([]), isObject(null), isObject(undefined)]).toEqual([true, false, false, false]);
  });
});

describe('errorFrom', () => {
  it("keeps the peer's code where it is one of ours", () => {
    expect(errorFrom(frame('REFUSED', { code: 'ERR_HANDOFF_BUSY', message: 'wait' }))).toMatchObject({
      code: 'ERR_HANDOFF_BUSY',
      message: 'wait',
    });
  });

  it('falls back on the kind of frame for a code of a later version', () => {
    expect(errorFrom(frame('REFUSED', { code: 'ERR_HANDOFF_OF_TOMORROW' })).code).toBe('ERR_HANDOFF_REFUSED');
    expect(errorFrom(frame('ABORT', { code: 1, message: 2 }))).toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
      message: 'The peer sent ABORT without a reason.',
    });
  });
});
