import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Control } from '../../../lib/channel/control.ts';
import { encodeFrame, FrameDecoder, maximumFrameLength } from '../../../lib/channel/frame.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { socketPair } from '../../../lib/fd/socket.ts';
import { connectedSockets } from '../../support/channel-pair.ts';
import { eventually } from '../../support/eventually.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';

let descriptors: DescriptorCheck;
/** The other end of every control of a test, as a bare socket that says what it likes. */
let peer: net.Socket;
let control: Control;

/** What a control can stand on; in either way it is the same. */
const kinds = {
  'a socket': (fd: number) => new Control(new net.Socket({ fd }), 'predecessor'),
  'a descriptor': (fd: number) => Control.over(new OwnedFd(fd, 'a control connection of a test'), 'predecessor'),
};

/** Everything that the control says until it closes. */
async function saidBy(socket: net.Socket) {
  const decoder = new FrameDecoder();
  const frames: { name: string; payload: unknown }[] = [];
  socket.on('data', (chunk: Buffer) => {
    for (const { name, payload } of decoder.push(chunk)) frames.push({ name, payload });
  });
  await once(socket, 'close');
  return frames;
}

describe.each(Object.entries(kinds))('over %s', (_kind, make) => {
  beforeEach(() => {
    descriptors = new DescriptorCheck();
    const [ours, theirs] = socketPair();
    peer = new net.Socket({ fd: theirs });
    peer.on('error', () => {});
    control = make(ours);
  });

  afterEach(async () => {
    vi.useRealTimers();
    control.destroy();
    peer.destroy();
    await descriptors[Symbol.asyncDispose]();
  });

  describe('expect', () => {
    it('gives frames in their order, those that came before it was called too', async () => {
      peer.write(Buffer.concat([encodeFrame('WELCOME', { pid: 1 }), encodeFrame('OFFER', { state: [] })]));
      expect(await control.expect(['WELCOME'], never)).toMatchObject({ name: 'WELCOME', payload: { pid: 1 } });
      expect(await control.expect(['OFFER'], never)).toMatchObject({ payload: { state: [] } });
    });

    it('reads a frame that comes one byte at a time', async () => {
      const frame = control.expect(['WELCOME'], never);
      for (const byte of encodeFrame('WELCOME', { pid: 7 })) {
        peer.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await frame).payload).toEqual({ pid: 7 });
    });

    it('takes what somebody else has read of the stream first', async () => {
      const [ours, theirs] = connectedSockets();
      const whole = encodeFrame('HELLO', { intent: 'status' });
      const started = new Control(ours, 'successor', whole.subarray(0, 9));
      theirs.write(whole.subarray(9));
      expect((await started.expect(['HELLO'], never)).payload).toEqual({ intent: 'status' });
      started.destroy();
      theirs.destroy();
    });

    it('rejects an unexpected frame by name', async () => {
      peer.write(encodeFrame('DRAINED', {}));
      await expect(control.expect(['WELCOME', 'OFFER'], never)).rejects.toMatchObject({
        code: 'ERR_HANDOFF_PROTOCOL',
        message: 'The predecessor sent DRAINED where WELCOME or OFFER belongs.',
      });
    });

    it.each(['ABORT', 'REFUSED'] as const)('rejects with what %s says', async (name) => {
      peer.write(encodeFrame(name, { code: 'ERR_HANDOFF_BUSY', message: 'another one is here' }));
      await expect(control.expect(['WELCOME'], never)).rejects.toMatchObject({
        code: 'ERR_HANDOFF_BUSY',
        message: 'another one is here',
      });
    });

    it('gives what was said before the end, and then the end', async () => {
      peer.end(Buffer.concat([encodeFrame('WELCOME', { pid: 1 }), encodeFrame('ABORT', { message: 'bye' })]));
      await control.closed;
      expect(await control.expect(['WELCOME'], never)).toMatchObject({ name: 'WELCOME' });
      await expect(control.expect(['OFFER'], never)).rejects.toThrow('bye');
      await expect(control.expect(['OFFER'], never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_PREDECESSOR_EXITED' });
    });

    it('says who is gone, and that it was in the middle of a frame', async () => {
      control.peerPid = 4711;
      peer.end(encodeFrame('WELCOME', {}).subarray(0, 6));
      await expect(control.expect(['WELCOME'], never)).rejects.toMatchObject({
        code: 'ERR_HANDOFF_PREDECESSOR_EXITED',
        message: 'The predecessor (process 4711) closed the control connection in the middle of a frame.',
      });
      expect(control.open).toBe(false);
    });

    it('calls the other kind of peer by its own name', async () => {
      const [ours, theirs] = connectedSockets();
      const other = new Control(ours, 'successor');
      theirs.destroy();
      await expect(other.expect(['HELLO'], never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
    });

    it('ends with the signal, and can be called again', async () => {
      const controller = new AbortController();
      const waiting = control.expect(['WELCOME'], controller.signal);
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
      await expect(control.expect(['WELCOME'], controller.signal)).rejects.toMatchObject({
        code: 'ERR_HANDOFF_ABORTED',
      });
      peer.write(encodeFrame('WELCOME', { pid: 2 }));
      expect((await control.expect(['WELCOME'], never)).payload).toEqual({ pid: 2 });
    });

    it('ends with a signal by which it was called before', async () => {
      const controller = new AbortController();
      peer.write(encodeFrame('WELCOME', { pid: 2 }));
      await control.expect(['WELCOME'], controller.signal);
      const waiting = control.expect(['OFFER'], controller.signal);
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    });

    it('hears no more of a signal by which it was called before another', async () => {
      const controller = new AbortController();
      peer.write(encodeFrame('WELCOME', {}));
      await control.expect(['WELCOME'], controller.signal);
      const waiting = control.expect(['OFFER'], never);
      controller.abort();
      peer.write(encodeFrame('OFFER', {}));
      await waiting;
    });

    it('is not for two at a time', async () => {
      const waiting = control.expect(['WELCOME'], never);
      expect(() => control.expect(['OFFER'], never)).toThrow('while another call waits');
      peer.write(encodeFrame('WELCOME', {}));
      await waiting;
    });
  });

  describe('on', () => {
    it('gives frames past whoever expects others, those that had come already too', async () => {
      peer.write(Buffer.concat([encodeFrame('WELCOME', {}), encodeFrame('RELEASED', { at: 1 })]));
      await control.expect(['WELCOME'], never);
      const heard: unknown[] = [];
      control.on('RELEASED', ({ payload }) => heard.push(payload.at));
      expect(heard).toEqual([1]);
      peer.write(Buffer.concat([encodeFrame('RELEASED', { at: 2 }), encodeFrame('OFFER', {})]));
      await control.expect(['OFFER'], never);
      expect(heard).toEqual([1, 2]);
    });

    it('a listener that cannot take what waited ends the connection, and whoever set it goes on', async () => {
      const said = saidBy(peer);
      peer.write(Buffer.concat([encodeFrame('WELCOME', {}), encodeFrame('CONNECTIONS', { entries: 7 })]));
      await control.expect(['WELCOME'], never);
      control.on('CONNECTIONS', () => {
        throw new Error('no');
      });
      peer.on('end', () => peer.end());
      await control.closed;
      expect(await said).toEqual([{ name: 'ABORT', payload: { code: 'ERR_HANDOFF_PROTOCOL', message: 'Error: no' } }]);
    });

    it('reads on after it has taken frames out of a full queue', async () => {
      const many = 3000;
      peer.write(Buffer.concat(Array.from({ length: many }, () => encodeFrame('STATE', { last: false }))));
      // A round trip: what was written before has been read, as far as it is going to be.
      await eventually(() => peer.writableLength === 0);
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      let heard = 0;
      control.on('STATE', () => heard++);
      peer.write(encodeFrame('WELCOME', {}));
      await control.expect(['WELCOME'], never);
      expect(heard).toBe(many);
    });
  });

  describe('garbage', () => {
    it.each([
      ['a HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
      ['a length of zero', Buffer.alloc(4)],
      ['no JSON', Buffer.from('\x00\x00\x00\x03\x02no', 'latin1')],
    ])('%s rejects the wait, is answered by ABORT, and ends the connection', async (_, garbage) => {
      const said = saidBy(peer);
      peer.write(garbage);
      await expect(control.expect(['WELCOME'], never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
      expect(control.open).toBe(false);
      expect(await said).toEqual([
        { name: 'ABORT', payload: expect.objectContaining({ code: 'ERR_HANDOFF_PROTOCOL' }) },
      ]);
      await control.closed;
    });

    it('does not keep what a peer goes on sending after it', async () => {
      peer.write(Buffer.alloc(4));
      await expect(control.expect(['WELCOME'], never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
      peer.write(encodeFrame('WELCOME', {}));
      await expect(control.expect(['WELCOME'], never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    });

    it('stops reading a peer that sends more than anybody takes, and loses nothing of it', async () => {
      const many = 20_000;
      const frame = encodeFrame('PROGRESS', { phase: 'x'.repeat(200) });
      peer.write(Buffer.concat(Array.from({ length: many }, () => frame)));
      await new Promise((resolve) => setImmediate(resolve));
      for (let taken = 0; taken < many; taken++) await control.expect(['PROGRESS'], never);
    });
  });

  describe('a frame of the largest size', () => {
    it('goes through', async () => {
      const bytes = Buffer.alloc(maximumFrameLength - 1 - 4 - 2, 5);
      const [one, other] = socketPair();
      const sender = new Control(new net.Socket({ fd: one }), 'successor');
      const receiver = make(other);
      const sent = sender.sendAndDrain('STATE', {}, bytes, never);
      const frame = await receiver.expect(['STATE'], never);
      await sent;
      expect(frame.bytes.equals(bytes)).toBe(true);
      sender.destroy();
      receiver.destroy();
    });
  });

  describe('sendAndDrain', () => {
    const large = Buffer.alloc(8 * 1024 * 1024);

    it('waits for a peer that does not read until the signal aborts', async () => {
      peer.pause();
      const controller = new AbortController();
      const sending = control.sendAndDrain('STATE', {}, large, controller.signal);
      controller.abort();
      await expect(sending).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    });

    it('does not wait for a peer that is gone', async () => {
      const sending = control.sendAndDrain('STATE', {}, large, never);
      peer.destroy();
      await sending;
      control.send('STATE', {});
      await control.closed;
    });
  });

  describe('the end', () => {
    it('comes after everything that was said', async () => {
      const said = saidBy(peer);
      control.send('DRAINED', { report: {} });
      await control.end();
      expect(await said).toEqual([{ name: 'DRAINED', payload: { report: {} } }]);
    });

    it('reaches a peer that writes before it reads: a write that fails would throw the reason away', async () => {
      // However slow the machine is, the peer is not given up.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      control.send('ABORT', { message: 'the reason' });
      const ended = control.end();
      // As long as a connection takes to be closed at once.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      peer.write(encodeFrame('RECEIVED', { count: 1 }));
      expect(await saidBy(peer)).toEqual([{ name: 'ABORT', payload: { message: 'the reason' } }]);
      await ended;
    });

    it('does not wait for good for a peer that neither reads nor closes', async () => {
      peer.pause();
      control.send('STATE', {}, Buffer.alloc(8 * 1024 * 1024));
      await control.end();
      await control.end();
    });

    it('comes once when both sides end', async () => {
      const [ours, theirs] = connectedSockets();
      const one = new Control(ours, 'successor');
      const other = new Control(theirs, 'predecessor');
      await Promise.all([one.end(), other.end()]);
    });

    it('is heard of also where nobody waits', async () => {
      peer.destroy();
      await control.closed;
      expect(control.open).toBe(false);
      control.send('DRAINED', {});
    });
  });
});

it('several over descriptors read into the same memory, and keep what is theirs', async () => {
  const large = Buffer.alloc(200_000);
  const pairs = Array.from({ length: 4 }, (_, index) => {
    const [one, other] = socketPair();
    const sender = Control.over(new OwnedFd(one, 'one of several'), 'successor');
    return { sender, receiver: Control.over(new OwnedFd(other, 'another of several'), 'predecessor'), fill: index + 1 };
  });
  const received = pairs.map(({ receiver }) => receiver.expect(['STATE'], never));
  for (const { sender, fill } of pairs) sender.send('STATE', { fill }, Buffer.from(large).fill(fill));
  for (const [index, { payload, bytes }] of (await Promise.all(received)).entries()) {
    expect(payload).toEqual({ fill: index + 1 });
    expect(bytes.equals(Buffer.from(large).fill(index + 1))).toBe(true);
  }
  for (const { sender, receiver } of pairs) {
    sender.destroy();
    receiver.destroy();
    await Promise.all([sender.closed, receiver.closed]);
  }
});
