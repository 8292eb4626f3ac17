import { expect, it } from 'vitest';
import { OutgoingFrames } from '../../../../lib/servers/http/outgoing-frames.ts';

const head = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');

function frame(opcode: number, length: number, masked = false): Buffer {
  const mask = masked ? 0x80 : 0;
  const header =
    length < 126
      ? Buffer.from([0x80 | opcode, mask | length])
      : length < 65_536
        ? Buffer.from([0x80 | opcode, mask | 126, length >> 8, length & 0xff])
        : Buffer.concat([Buffer.from([0x80 | opcode, mask | 127, 0, 0, 0, 0]), uint32(length)]);
  return Buffer.concat([header, Buffer.alloc(masked ? 4 : 0, 7), Buffer.alloc(length, 0x88)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function following(...written: Uint8Array[]): OutgoingFrames {
  const frames = new OutgoingFrames();
  for (const chunk of written) frames.push(chunk);
  return frames;
}

it('there is no boundary before the handshake was answered, and one right after it', () => {
  expect(following().atBoundary).toBe(false);
  expect(following(head.subarray(0, -1)).atBoundary).toBe(false);
  expect(following(head).atBoundary).toBe(true);
});

it('a handshake that is refused, and what is no answer at all, never has one', () => {
  expect(following(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), frame(1, 5)).atBoundary).toBe(false);
  expect(following(Buffer.from('SSH-2.0 banner\r\n\r\n')).atBoundary).toBe(false);
  expect(following(Buffer.alloc(20_000, 65), head).atBoundary).toBe(false);
});

it.each([0, 1, 125, 126, 65_535, 65_536, 200_000])('a frame of %d bytes, at every place that matters', (length) => {
  for (const masked of [false, true]) {
    const bytes = frame(2, length, masked);
    const frames = following(head);
    const places = new Set([1, 2, 3, 4, 5, 9, 10, 13, 14, 15, bytes.length - 1].filter((at) => at < bytes.length));
    for (const at of places) {
      const split = following(head, bytes.subarray(0, at));
      expect(split.atBoundary, `${at} of ${bytes.length}`).toBe(false);
      split.push(bytes.subarray(at));
      expect(split.atBoundary).toBe(true);
    }
    frames.push(Buffer.concat([bytes, bytes]));
    expect(frames.atBoundary).toBe(true);
  }
});

it('byte by byte it is the same', () => {
  const frames = new OutgoingFrames();
  const all = Buffer.concat([head, frame(1, 300), frame(2, 2), frame(10, 0)]);
  for (const byte of all) frames.push(Uint8Array.of(byte));
  expect(frames.atBoundary).toBe(true);
});

it('the application may use its buffer again', () => {
  const piece = Buffer.from([0x82]);
  const frames = following(head, piece);
  piece.fill(0xff);
  frames.push(Buffer.from([1, 9]));
  expect(frames.atBoundary).toBe(true);
});

it('after a close frame nothing may follow', () => {
  expect(following(head, frame(8, 2)).atBoundary).toBe(false);
  expect(following(Buffer.concat([head, frame(1, 3), frame(8, 0), frame(1, 3)])).atBoundary).toBe(false);
});
