import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  type FrameName,
  frameTypes,
  type JsonObject,
} from '../../../lib/channel/frame.ts';
import { HandoffError } from '../../../lib/fd/handoff-error.ts';

const names = Object.keys(frameTypes) as FrameName[];

/** Cuts `whole` at arbitrary places and gives the pieces to a decoder, one after the other. */
function decodeInPieces(whole: Buffer, cuts: readonly number[]): Frame[] {
  const decoder = new FrameDecoder();
  const places = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((one, other) => one - other);
  const frames: Frame[] = [];
  let start = 0;
  for (const end of [...places, whole.length]) {
    frames.push(...decoder.push(whole.subarray(start, end)));
    start = end;
  }
  return frames;
}

function isProtocolError(error: unknown): boolean {
  return error instanceof HandoffError && error.code === 'ERR_HANDOFF_PROTOCOL';
}

const frame = fc.record({
  name: fc.constantFrom(...names),
  payload: fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)) as JsonObject),
  bytes: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});

test('whatever is encoded is decoded again, wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (frames, cuts) => {
      const carries = (name: FrameName) => name === 'STATE' || name === 'CONNECTIONS';
      const whole = Buffer.concat(
        frames.map(({ name, payload, bytes }) => encodeFrame(name, payload, carries(name) ? bytes : undefined)),
      );
      const decoded = decodeInPieces(whole, cuts);
      expect(decoded.map(({ name, payload }) => ({ name, payload }))).toEqual(
        frames.map(({ name, payload }) => ({ name, payload })),
      );
      for (const [index, { name, bytes }] of frames.entries()) {
        expect(decoded[index]?.bytes.equals(carries(name) ? bytes : Buffer.alloc(0))).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});

test('arbitrary bytes are frames or ERR_HANDOFF_PROTOCOL, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat(), { maxLength: 10 }), (bytes, cuts) => {
      try {
        decodeInPieces(Buffer.from(bytes), cuts);
      } catch (error) {
        expect(isProtocolError(error)).toBe(true);
      }
    }),
    { numRuns: 5000 },
  );
});

test('bytes that look like a frame are frames or ERR_HANDOFF_PROTOCOL, and nothing else', () => {
  const lookalike = fc.tuple(fc.nat(20), fc.uint8Array({ maxLength: 60 }), fc.integer({ min: -3, max: 3 }));
  fc.assert(
    fc.property(lookalike, ([type, payload, error]) => {
      const header = Buffer.alloc(5);
      header.writeUInt32BE(Math.max(0, payload.length + 1 + error), 0);
      header[4] = type;
      try {
        new FrameDecoder().push(Buffer.concat([header, payload]));
      } catch (failure) {
        expect(isProtocolError(failure)).toBe(true);
      }
    }),
    { numRuns: 5000 },
  );
});

test('a decoder holds no more than it was given, whatever length is announced', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 16 * 1024 * 1024 }), fc.uint8Array({ maxLength: 100 }), (length, bytes) => {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(length, 0);
      const decoder = new FrameDecoder();
      try {
        decoder.push(Buffer.concat([header, bytes]));
      } catch (error) {
        expect(isProtocolError(error)).toBe(true);
      }
      expect(decoder.pending).toBeLessThanOrEqual(bytes.length + 4);
    }),
  );
});
