import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeFrame, FrameDecoder, type JsonObject } from '../../../lib/channel/frame.ts';
import { createToken, type Token } from '../../../lib/channel/token.ts';
import type { HandoffError } from '../../../lib/fd/handoff-error.ts';
import type { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { type Found, findPredecessor } from '../../../lib/meeting/predecessor-search.ts';
import { descriptorOf } from '../../../lib/servers/internals/sockets.ts';
import { helloPayload, type Intent } from '../../../lib/transaction/hello.ts';
import { claimUnixPath } from '../../../lib/transaction/path/control-path.ts';
import { makeOffer } from '../../../lib/transaction/predecessor.ts';
import {
  authorizeSameUser,
  Reception,
  type ReceptionOptions,
  type Visitor,
} from '../../../lib/transaction/reception.ts';
import { eventually } from '../../support/eventually.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let path: string;
let listener: OwnedFd;
let receptions: Reception[];
let visitors: Visitor[];
let refusals: HandoffError[];
let callers: net.Socket[];

beforeEach(async () => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  path = folder.file('control.sock');
  listener = (await claimUnixPath(path, { backlog: 512 }, never)) as OwnedFd;
  receptions = [];
  visitors = [];
  refusals = [];
  callers = [];
});

afterEach(async () => {
  vi.useRealTimers();
  for (const caller of callers) caller.destroy();
  for (const { control, channel } of visitors) {
    control.destroy();
    channel?.[Symbol.dispose]();
  }
  for (const reception of receptions) reception.close();
  listener.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

async function open(options: Partial<ReceptionOptions> = {}): Promise<Reception> {
  const reception = new Reception({
    descriptorOf,
    authorize: authorizeSameUser,
    onVisitor: (visitor) => visitors.push(visitor),
    onRefusal: (error) => refusals.push(error),
    ...options,
  });
  receptions.push(reception);
  await reception.open(listener);
  return reception;
}

/** Somebody at the door, who says `words` first. */
function call(words: Buffer | string = ''): net.Socket {
  const caller = net.connect(path);
  callers.push(caller);
  caller.on('error', () => {});
  caller.write(words);
  return caller;
}

function hello(token: Token | null, intent: Intent = 'takeover'): Buffer {
  return encodeFrame('HELLO', helloPayload(intent, token));
}

/** 200 callers, in two waves: the kernel queues no more than a hundred odd. */
async function flood(words: () => string): Promise<net.Socket[]> {
  const crowd: net.Socket[] = [];
  while (crowd.length < 200) {
    const wave = Array.from({ length: 100 }, () => call(words()));
    await Promise.all(wave.map((caller) => once(caller, 'connect')));
    crowd.push(...wave);
    // Those who connect now have been accepted, and so have all before them.
    await eventually(() => refusals.length >= crowd.length - 64);
  }
  return crowd;
}

/** What a caller is told before the connection ends. */
async function told(caller: net.Socket): Promise<{ name: string; payload: JsonObject }[]> {
  const decoder = new FrameDecoder();
  const frames: { name: string; payload: JsonObject }[] = [];
  caller.on('data', (chunk: Buffer) => {
    for (const { name, payload } of decoder.push(chunk)) frames.push({ name, payload });
  });
  // Not by once(), which rejects where the connection is reset: what was said before that counts.
  await new Promise((resolve) => caller.on('close', resolve));
  return frames;
}

/** Stops the clock of all deadlines: time passes when a test says so, however slow the machine is. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

/** Lets the greeting time pass, once everybody who has called so far was accepted and heard. */
async function letTimePass(): Promise<void> {
  const before = visitors.length;
  call(hello(null, 'status'));
  await eventually(() => visitors.length > before);
  visitors.pop()?.control.destroy();
  vi.advanceTimersByTime(60_000);
}

function refused(code: string) {
  return [{ name: 'REFUSED', payload: { code, message: expect.any(String) } }];
}

describe('a visitor is let in', () => {
  it('with its lane, whichever of the two connections comes first', async () => {
    await open();
    for (const laneFirst of [true, false]) {
      const token = createToken();
      const words = laneFirst ? [`${token}\n`, hello(token)] : [hello(token), `${token}\n`];
      const first = call(words[0]);
      await once(first, 'connect');
      call(words[1]);
      await eventually(() => visitors.length === 1);
      const visitor = visitors.pop() as Visitor;
      expect(visitor).toMatchObject({ hello: { token }, peer: { pid: process.pid, uid: process.getuid?.() } });
      expect(visitor.channel).not.toBeNull();
      visitor.channel?.[Symbol.dispose]();
    }
    expect(refusals).toEqual([]);
  });

  it('without a lane where the intent needs none', async () => {
    await open();
    call(hello(null, 'status'));
    await eventually(() => visitors.length === 1);
    expect(visitors[0]).toMatchObject({ hello: { intent: 'status' }, channel: null });
  });

  it('when every byte comes by itself', async () => {
    await open();
    const token = createToken();
    const [control, lane] = [call(), call()];
    const words = hello(token);
    for (let index = 0; index < words.length; index++) {
      control.write(words.subarray(index, index + 1));
      if (index < 33) lane.write(`${token}\n`[index] as string);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => visitors.length === 1);
  });

  it('after authorize() has thought about it', async () => {
    await open({ authorize: async ({ uid }) => uid === process.getuid?.() });
    call(hello(null, 'status'));
    await eventually(() => visitors.length === 1);
  });

  it('again, after it was closed and opened', async () => {
    const reception = await open();
    reception.close();
    await reception.open(listener);
    call(hello(null, 'status'));
    await eventually(() => visitors.length === 1);
  });
});

describe('a visitor is turned away, and told why', () => {
  it('when it may not come', async () => {
    await open({ authorize: () => false });
    const token = createToken();
    const callers = [call(hello(token)), call(`${token}\n`), call()];
    for (const answer of await Promise.all(callers.map(told))) {
      expect(answer).toEqual(refused('ERR_HANDOFF_UNTRUSTED_PEER'));
    }
    expect(visitors).toEqual([]);
  });

  it('when authorize() fails', async () => {
    await open({
      authorize: () => {
        throw new Error('the directory is down');
      },
    });
    expect(await told(call(hello(null, 'status')))).toEqual(refused('ERR_HANDOFF_REFUSED'));
  });

  it('when authorize() never answers', async () => {
    await open({ authorize: () => new Promise(() => {}), greetingTimeout: 20 });
    expect(await told(call(hello(null, 'status')))).toEqual(refused('ERR_HANDOFF_TIMEOUT'));
  });

  it('when it says nothing, or stops in the middle', async () => {
    await open({ greetingTimeout: 20 });
    const words = [Buffer.alloc(0), hello(createToken()).subarray(0, 9), Buffer.from(createToken().slice(0, 9))];
    for (const answer of await Promise.all(words.map((word) => told(call(word))))) {
      expect(answer).toEqual(refused('ERR_HANDOFF_TIMEOUT'));
    }
  });

  it('when its lane never comes', async () => {
    stopClock();
    await open();
    const telling = told(call(hello(createToken())));
    await letTimePass();
    const [answer] = await telling;
    expect(answer).toMatchObject({
      name: 'REFUSED',
      payload: { code: 'ERR_HANDOFF_TIMEOUT', message: expect.stringContaining('the lane') },
    });
  });

  it('when it speaks another version', async () => {
    await open();
    const words = encodeFrame('HELLO', { ...helloPayload('takeover', createToken()), protocol: [2] });
    expect(await told(call(words))).toEqual(refused('ERR_HANDOFF_VERSION'));
  });

  it('when it starts with another frame', async () => {
    await open();
    expect(await told(call(encodeFrame('OFFER', {})))).toEqual(refused('ERR_HANDOFF_PROTOCOL'));
  });

  it.each([
    ['an HTTP request', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a token that is none', `${'z'.repeat(32)}\n`],
    ['a token and more', `${'a'.repeat(32)}\nmore`],
    ['a frame of 4 GiB', '\x01\xff\xff\xff\x01'],
    ['binary', '\x1b\x02\x03\x04\x05\x06\x07\x08'],
  ])('when it says %s', async (_, words) => {
    await open();
    const [answer] = await told(call(Buffer.from(words, 'latin1')));
    expect(answer?.payload.code).toBe('ERR_HANDOFF_PROTOCOL');
    expect(visitors).toEqual([]);
  });

  it('when its token is on a lane already', async () => {
    await open();
    const token = createToken();
    const first = call(`${token}\n`);
    await once(first, 'connect');
    expect(await told(call(`${token}\n`))).toEqual(refused('ERR_HANDOFF_PROTOCOL'));
    call(hello(token));
    await eventually(() => visitors.length === 1);
  });

  it('when another waits for the lane of that token', async () => {
    await open();
    const token = createToken();
    call(hello(token));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await told(call(hello(token)))).toEqual(refused('ERR_HANDOFF_PROTOCOL'));
    call(`${token}\n`);
    await eventually(() => visitors.length === 1);
  });

  it('when the reception closes', async () => {
    const reception = await open();
    const silent = call();
    const half = call(hello(createToken()));
    call(`${createToken()}\n`);
    await once(half, 'connect');
    await eventually(() => descriptors.opened().length > 0);
    const answers = Promise.all([told(silent), told(half)]);
    reception.close();
    listener.close();
    await answers;
    expect(visitors).toEqual([]);
  });
});

it('one that closes before it has opened accepts nobody, and the next one does', async () => {
  const reception = new Reception({
    descriptorOf,
    authorize: authorizeSameUser,
    onVisitor: (visitor) => visitors.push(visitor),
    onRefusal: (error) => refusals.push(error),
  });
  receptions.push(reception);
  const opening = reception.open(listener);
  reception.close();
  await opening;
  call(hello(null, 'status'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(visitors).toEqual([]);
  await reception.open(listener);
  await eventually(() => visitors.length === 1);
});

it('two lanes of one token leave none open', async () => {
  await open();
  for (let round = 0; round < 20; round++) {
    const token = createToken();
    call(hello(token));
    call(`${token}\n`);
    call(`${token}\n`);
    await eventually(() => visitors.length === 1);
    visitors.pop()?.channel?.[Symbol.dispose]();
  }
});

it('a lane whose HELLO never comes is closed', async () => {
  await open({ greetingTimeout: 20 });
  const lane = call(`${createToken()}\n`);
  lane.resume();
  await once(lane, 'close');
});

it('a visitor that leaves is heard of as that', async () => {
  await open();
  const silent = call();
  await once(silent, 'connect');
  silent.destroy();
  const unpaired = call(hello(createToken()));
  await once(unpaired, 'connect');
  unpaired.end();
  await eventually(() => refusals.length === 2);
  for (const { code } of refusals) expect(code).toBe('ERR_HANDOFF_REFUSED');
});

describe('a proper handoff still works', () => {
  /** Searches until there is room: those who were refused may still be on their way out. */
  async function search(): Promise<Found> {
    for (;;) {
      try {
        return await findPredecessor({ control: path, intent: 'takeover', timeout: 30_000 });
      } catch (error) {
        if ((error as HandoffError).code !== 'ERR_HANDOFF_BUSY') throw error;
      }
    }
  }

  /** Takes over from this very process, through everything that a starting process does. */
  async function properHandoff(): Promise<void> {
    const offered = eventually(() => visitors.length === 1).then(async () => {
      const { channel, hello } = visitors[0] as Visitor;
      if (channel === null) throw new Error('the visitor has no lane');
      const offer = { generation: 0, descriptors: [], states: [], saveStates: async () => [], readyTimeout: 1000 };
      await makeOffer({ channel, hello }, { mode: 'replace', ...offer }, never, () => {});
      channel.control.send('COMMITTED', {});
    });
    const found = await search();
    if (found.is !== 'takeover') throw new Error(`found ${found.is}`);
    expect(await found.takeover.announceReady(never)).toBe('committed');
    await offered;
    found.takeover[Symbol.dispose]();
  }

  it('after a flood of 200 silent connections, which is refused beyond the limit by name', async () => {
    stopClock();
    await open();
    const answers = (await flood(() => '')).map(told);
    expect(refusals.map(({ code }) => code)).toEqual(Array.from({ length: 136 }, () => 'ERR_HANDOFF_BUSY'));
    vi.advanceTimersByTime(60_000);
    const codes = (await Promise.all(answers)).map(([answer]) => answer?.payload.code);
    expect(codes.filter((code) => code === 'ERR_HANDOFF_TIMEOUT').length).toBe(64);
    vi.useRealTimers();
    await properHandoff();
  });

  it('after a flood of 200 lanes, of which no more are kept than there may be visitors', async () => {
    await open();
    await flood(() => `${createToken()}\n`);
    await eventually(() => refusals.length >= 200 - 64);
    expect(refusals.every(({ code }) => code === 'ERR_HANDOFF_BUSY')).toBe(true);
  });

  it('after garbage, strangers and half sentences', async () => {
    stopClock();
    await open();
    const words = ['', 'GET / HTTP/1.0\r\n\r\n', '\0', `${createToken()}\n`, hello(createToken()), '\0\0\0\x01\x09'];
    const answers = words.map((word) => told(call(word)));
    await letTimePass();
    await Promise.all(answers);
    vi.useRealTimers();
    await properHandoff();
  });
});

it('the same user and root may come, and nobody else', () => {
  const uid = process.getuid?.() ?? 0;
  expect(authorizeSameUser({ pid: 1, uid, gid: 0 })).toBe(true);
  expect(authorizeSameUser({ pid: 1, uid: 0, gid: 0 })).toBe(true);
  expect(authorizeSameUser({ pid: 1, uid: uid + 1, gid: 0 })).toBe(false);
});
