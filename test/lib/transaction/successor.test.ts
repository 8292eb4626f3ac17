import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../lib/channel/frame.ts';
import { pipe } from '../../../lib/fd/descriptor.ts';
import { sendMessage } from '../../../lib/fd/message.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../../lib/fd/socket.ts';
import { describeForManifest, readyName } from '../../../lib/transaction/manifest.ts';
import { welcomePayload } from '../../../lib/transaction/predecessor.ts';
import type { PredecessorEnd, Takeover } from '../../../lib/transaction/successor.ts';
import { Meeting } from '../../support/meeting.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';

let descriptors: DescriptorCheck;
let meeting: Meeting;
let listener: OwnedFd;
let readyReader: OwnedFd;
let readyWriter: OwnedFd;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  meeting = new Meeting();
  listener = new OwnedFd(bindTcp('127.0.0.1', 0), 'the listener of a test');
  listen(listener.fd, 8);
  const [reader, writer] = pipe();
  readyReader = new OwnedFd(reader, 'the read end of a ready pipe');
  readyWriter = new OwnedFd(writer, 'the write end of a ready pipe');
});

afterEach(async () => {
  meeting[Symbol.dispose]();
  listener.close();
  readyReader.close();
  readyWriter.close();
  await descriptors[Symbol.asyncDispose]();
});

/** The offer of a listener and a ready pipe, as a predecessor would write it; `change` makes it another. */
function offerPayload(change: JsonObject = {}): JsonObject {
  return {
    mode: 'replace',
    descriptors: [
      describeForManifest({ name: 'web', fd: listener.fd }),
      describeForManifest({ name: readyName, fd: readyWriter.fd }),
    ],
    state: [],
    readyTimeout: 1000,
    ...change,
  };
}

/** What a predecessor says, as the test wants it. */
async function say({ welcome = welcomePayload(3), offer = offerPayload(), fds = [listener.fd, readyWriter.fd] } = {}) {
  const { control } = meeting.sending;
  await control.expect(['HELLO'], never);
  control.send('WELCOME', welcome);
  control.send('OFFER', offer);
  if (fds.length > 0) await meeting.sending.sendBatch(fds, never);
}

/** A takeover that has everything. */
async function taken(change: JsonObject = {}): Promise<Takeover> {
  const [takeover] = await Promise.all([meeting.takeOver(), say({ offer: offerPayload(change) })]);
  return takeover;
}

describe('an offer is refused, and nothing of it kept', () => {
  const protocol = 'ERR_HANDOFF_PROTOCOL';
  const mismatch = 'ERR_HANDOFF_DESCRIPTOR_MISMATCH';

  it.each<[string, string, () => Parameters<typeof say>[0]]>([
    ['a WELCOME without a pid', protocol, () => ({ welcome: { generation: 1 } })],
    ['a WELCOME with half a generation', protocol, () => ({ welcome: { pid: 1, generation: 0.5 } })],
    ['no descriptors', protocol, () => ({ offer: offerPayload({ descriptors: 'none' }) })],
    ['a descriptor without a kind', protocol, () => ({ offer: offerPayload({ descriptors: [{ name: 'web' }] }) })],
    ['a state without a name', protocol, () => ({ offer: offerPayload({ state: [{ late: true }] }) })],
    ['an unknown mode', protocol, () => ({ offer: offerPayload({ mode: 'conquer' }) })],
    ['more descriptors than listed', protocol, () => ({ fds: [listener.fd, listener.fd, readyWriter.fd] })],
    ['descriptors in another order', mismatch, () => ({ fds: [readyWriter.fd, listener.fd] })],
    ['a listener of another port', mismatch, () => ({ offer: withWeb({ port: 1 }) })],
    ['a listener of another family', mismatch, () => ({ offer: withWeb({ family: 'unix' }) })],
    [
      'a name twice',
      protocol,
      () => ({
        offer: offerPayload({
          descriptors: ['web', 'web'].map((name) => describeForManifest({ name, fd: listener.fd })),
        }),
        fds: [listener.fd, listener.fd],
      }),
    ],
  ])('%s', async (_, code, words) => {
    const said = say(words()).catch((error) => error);
    await expect(meeting.takeOver()).rejects.toMatchObject({ code });
    // What went wrong is told to the predecessor, who serves on.
    const heard = await said;
    if (heard === undefined) {
      await expect(meeting.sending.control.expect(['STATE'], never)).rejects.toMatchObject({ code });
    } else {
      expect(heard).toMatchObject({ code });
    }
  });

  function withWeb(change: JsonObject): JsonObject {
    const [web, ready] = offerPayload().descriptors as JsonObject[];
    return offerPayload({ descriptors: [{ ...web, ...change }, ready as JsonObject] });
  }

  it('a batch without its descriptors: a truncated lane', async () => {
    const said = say({ fds: [] });
    const refused = expect(meeting.takeOver()).rejects.toMatchObject({ code: protocol });
    await said;
    sendMessage(meeting.sendingLane.fd, Buffer.from('F'), [listener.fd]);
    meeting.sending.control.send('DESCRIPTORS', { count: 2 });
    await refused;
  });

  it.each([
    ['whose predecessor has read the token', true, protocol],
    ['with the token still in it', false, 'ERR_HANDOFF_PREDECESSOR_EXITED'],
  ])('a batch from a closed lane %s', async (_, reads, code) => {
    const said = say({ fds: [] });
    const refused = expect(meeting.takeOver()).rejects.toMatchObject({ code });
    await said;
    if (reads) meeting.sending.readToken();
    meeting.sendingLane.close();
    meeting.sending.control.send('DESCRIPTORS', { count: 2 });
    await refused;
  });
});

/** The steps of a predecessor's side, one function each. */
function steps(): [string, () => unknown][] {
  const { control } = meeting.sending;
  return [
    ['after HELLO', () => control.expect(['HELLO'], never)],
    ['after WELCOME', () => control.send('WELCOME', welcomePayload(0))],
    ['after OFFER', () => control.send('OFFER', offerPayload({ state: [{ name: 'it', late: false }] }))],
    ['with the batch on the lane', () => meeting.sending.putBatch([listener.fd, readyWriter.fd])],
    ['after DESCRIPTORS', () => control.send('DESCRIPTORS', { count: 2 })],
    ['after RECEIVED', () => control.expect(['RECEIVED'], never)],
    [
      'in the middle of the state',
      () => control.send('STATE', { name: 'it', late: false, encoding: 'json', last: false }, Buffer.from('{')),
    ],
  ];
}
const stages = [0, 1, 2, 3, 4, 5, 6, 7];

describe('a predecessor that goes without a word leaves nothing behind', () => {
  it.each(stages.slice(0, 5))('stage %i', async (stage) => {
    const rejected = expect(meeting.takeOver()).rejects.toMatchObject({ code: 'ERR_HANDOFF_PREDECESSOR_EXITED' });
    for (const [, act] of steps().slice(0, stage)) await act();
    meeting.sending[Symbol.dispose]();
    await rejected;
  });
});

describe('a predecessor that goes when its descriptors are over leaves them, without the state that is missing', () => {
  it.each(stages.slice(5))('stage %i', async (stage) => {
    const taking = meeting.takeOver();
    for (const [, act] of steps().slice(0, stage)) await act();
    meeting.sending[Symbol.dispose]();
    const takeover = await taking;
    expect(takeover.unclaimed.map(({ name }) => name)).toEqual(['web']);
    expect(takeover.state('it')).toBeNull();
    expect(await takeover.announceReady(never)).toBe('orphaned');
    takeover[Symbol.dispose]();
  });
});

describe('a predecessor that calls it off is heard', () => {
  it.each(stages)('stage %i', async (stage) => {
    const rejected = expect(meeting.takeOver()).rejects.toMatchObject({ code: 'ERR_HANDOFF_BUSY', message: 'not now' });
    for (const [, act] of steps().slice(0, stage)) await act();
    meeting.sending.control.send(stage < 2 ? 'REFUSED' : 'ABORT', { code: 'ERR_HANDOFF_BUSY', message: 'not now' });
    await rejected;
  });
});

describe('a successor that gives up tells why', () => {
  it.each(stages)('stage %i', async (stage) => {
    const controller = new AbortController();
    const rejected = expect(meeting.takeOver(controller.signal)).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    for (const [, act] of steps().slice(0, stage)) await act();
    controller.abort();
    await rejected;
    const { control } = meeting.sending;
    // Whatever else it had said comes first.
    for (;;) {
      const next = await control.expect(['HELLO', 'RECEIVED'], never).catch((error) => error);
      if (!(next instanceof Error)) continue;
      expect(next).toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
      break;
    }
  });
});

describe('announceReady', () => {
  it('writes one newline and waits for COMMITTED', async () => {
    const takeover = await taken();
    const decision = takeover.announceReady(never);
    meeting.sending.control.send('COMMITTED', { drainTimeout: 1 });
    expect(await decision).toBe('committed');
    takeover[Symbol.dispose]();
  });

  it('is orphaned where the predecessor died', async () => {
    const takeover = await taken();
    meeting.sending[Symbol.dispose]();
    readyReader.close();
    expect(await takeover.announceReady(never)).toBe('orphaned');
    expect(takeover.take('web')?.descriptor.close()).toBeUndefined();
    takeover[Symbol.dispose]();
  });

  it('is orphaned where it dies between the newline and its word', async () => {
    const takeover = await taken();
    const decision = takeover.announceReady(never);
    meeting.sending[Symbol.dispose]();
    expect(await decision).toBe('orphaned');
    takeover[Symbol.dispose]();
  });

  it('rejects where the predecessor has called it off, although nobody reads the newline', async () => {
    const takeover = await taken();
    meeting.sending.control.send('ABORT', { code: 'ERR_HANDOFF_TIMEOUT', message: 'too late' });
    readyReader.close();
    await expect(takeover.announceReady(never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    expect(takeover.calledOff.aborted).toBe(true);
    // A second look tells the same.
    await expect(takeover.announceReady(never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
  });

  it('rejects when a living predecessor says nothing in time', async () => {
    const takeover = await taken();
    await expect(takeover.announceReady(AbortSignal.timeout(1))).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    takeover[Symbol.dispose]();
  });

  it('rejects what is no decision', async () => {
    const takeover = await taken();
    const decision = takeover.announceReady(never);
    meeting.sending.control.send('PROGRESS', {});
    await expect(decision).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    takeover[Symbol.dispose]();
  });

  it('needs a ready pipe', async () => {
    const offer = offerPayload({ descriptors: [describeForManifest({ name: 'web', fd: listener.fd })] });
    const [takeover] = await Promise.all([meeting.takeOver(), say({ offer, fds: [listener.fd] })]);
    await expect(takeover.announceReady(never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    takeover[Symbol.dispose]();
  });
});

describe('while it warms up', () => {
  it('lets go of everything at once when the handoff is called off', async () => {
    const takeover = await taken();
    const reason = new Promise((resolve) =>
      takeover.calledOff.addEventListener('abort', () => resolve(takeover.calledOff.reason)),
    );
    meeting.sending.control.send('ABORT', { message: 'no' });
    expect(await reason).toMatchObject({ code: 'ERR_HANDOFF_ABORTED', message: 'no' });
    expect(takeover.unclaimed).toEqual([]);
    expect(takeover.take('web')).toBeNull();
  });
});

describe('settle', () => {
  /** A takeover after its decision; how its predecessor ends, once it does. */
  async function settled(change: JsonObject = {}) {
    const takeover = await taken(change);
    const late: unknown[] = [];
    const end = new Promise<PredecessorEnd>((resolve) =>
      takeover.settle({
        onConnection: () => false,
        onLateState: async ({ name, value }) => late.push([name, value]),
        onEnd: resolve,
      }),
    );
    return { takeover, late, end, control: meeting.sending.control };
  }

  it('closes what nobody took, and tells which those were', async () => {
    const { takeover, control, end } = await settled();
    expect((await control.expect(['UNCLAIMED'], never)).payload).toEqual({ names: ['web'] });
    expect(takeover.unclaimed).toEqual([]);
    meeting.sending[Symbol.dispose]();
    await end;
  });

  it('tells, too, of what was taken and put back', async () => {
    const takeover = await taken();
    expect(takeover.borrow('web')).toEqual(expect.any(Number));
    const web = takeover.take('web');
    expect(takeover.borrow('web')).toBeNull();
    if (web !== null) takeover.putBack(web);
    expect(takeover.borrow('web')).toBe(web?.descriptor.fd);
    takeover.settle({ onConnection: () => false, onLateState: async () => {}, onEnd: () => {} });
    expect((await meeting.sending.control.expect(['UNCLAIMED'], never)).payload).toEqual({ names: ['web'] });
    expect(web?.descriptor.closed).toBe(true);
  });

  it('answers the commit with no name where everything was taken', async () => {
    const takeover = await taken();
    const web = takeover.take('web');
    expect(takeover.take('web')).toBeNull();
    takeover.settle({ onConnection: () => false, onLateState: async () => {}, onEnd: () => {} });
    expect((await meeting.sending.control.expect(['UNCLAIMED'], never)).payload).toEqual({ names: [] });
    // What was taken is the taker's.
    expect(web?.descriptor.closed).toBe(false);
    web?.descriptor.close();
  });

  it('hears late states, those too that came with the decision, and how the predecessor ended', async () => {
    const { control, late, end } = await settled({ state: [{ name: 'last', late: true }] });
    control.send('STATE', { name: 'last', late: true, encoding: 'json', last: false }, Buffer.from('[1,'));
    control.send('STATE', { name: 'last', late: true, encoding: 'json', last: true }, Buffer.from('2]'));
    control.send('DRAINED', { report: { drained: 4 } });
    void control.end();
    expect(await end).toEqual({ how: 'drained', report: { drained: 4 } });
    expect(late).toEqual([['last', [1, 2]]]);
  });

  it.each<[string, PredecessorEnd]>([
    ['RELEASED', { how: 'released' }],
    ['nothing', { how: 'died' }],
  ])('hears of an end with %s', async (word, expected) => {
    const { control, end } = await settled();
    if (word === 'RELEASED') control.send('RELEASED', {});
    void meeting.sending.end();
    expect(await end).toEqual(expected);
  });

  it('takes a predecessor whose lane is open for alive, though the connection is gone', async () => {
    const { control, end } = await settled();
    control.destroy();
    await meeting.receiving.control.closed;
    expect(await Promise.race([end, delay(50, 'nothing')])).toBe('nothing');
    meeting.sendingLane.close();
    expect(await end).toEqual({ how: 'died' });
  });
});

it('a successor of a later protocol finds what it does not know ignored', async () => {
  const { control } = meeting.sending;
  const takeover = await taken({ colour: 'blue' });
  meeting.sendingSocket.write(Buffer.from('\0\0\0\x03\xc8hi', 'latin1'));
  const decision = takeover.announceReady(never);
  control.send('COMMITTED', { drainTimeout: 1, more: true });
  expect(await decision).toBe('committed');
  takeover[Symbol.dispose]();
});
