import { describe, expect, it } from 'vitest';
import type { Frame, JsonObject } from '../../../lib/channel/frame.ts';
import { createToken } from '../../../lib/channel/token.ts';
import { features, helloPayload, readHello, takesDescriptors } from '../../../lib/transaction/hello.ts';

function hello(payload: JsonObject): Frame {
  return { name: 'HELLO', payload, bytes: Buffer.alloc(0) };
}

const token = createToken();
const good = helloPayload('takeover', token);

describe('readHello', () => {
  it('reads what helloPayload writes', () => {
    expect(readHello(hello(good))).toEqual({
      details: good,
      intent: 'takeover',
      pid: process.pid,
      token,
      features,
    });
    expect(readHello(hello(helloPayload('status', null)))).toMatchObject({ intent: 'status', token: null });
  });

  it('ignores what it does not know', () => {
    expect(readHello(hello({ ...good, features: ['of-tomorrow'], more: { to: 'come' } }))).toMatchObject({
      features: ['of-tomorrow'],
    });
  });

  it('does without features', () => {
    const { features: _, ...bare } = good;
    expect(readHello(hello(bare)).features).toEqual([]);
  });

  it('takes a version among several', () => {
    expect(readHello(hello({ ...good, protocol: [3, 2, 1] })).intent).toBe('takeover');
  });

  it.each([
    ['another version', { protocol: [2] }, 'ERR_HANDOFF_VERSION'],
    ['no version', { protocol: [] }, 'ERR_HANDOFF_VERSION'],
    ['a version that is no list', { protocol: 1 }, 'ERR_HANDOFF_PROTOCOL'],
    ['a version that is text', { protocol: ['1'] }, 'ERR_HANDOFF_PROTOCOL'],
    ['another intent', { intent: 'conquest' }, 'ERR_HANDOFF_REFUSED'],
    ['an intent from the prototype', { intent: 'constructor' }, 'ERR_HANDOFF_REFUSED'],
    ['no intent', { intent: null }, 'ERR_HANDOFF_PROTOCOL'],
    ['no token', { token: null }, 'ERR_HANDOFF_PROTOCOL'],
    ['a short token', { token: 'abc' }, 'ERR_HANDOFF_PROTOCOL'],
    ['a sharing without token', { intent: 'share', token: 1 }, 'ERR_HANDOFF_PROTOCOL'],
    ['no pid', { pid: null }, 'ERR_HANDOFF_PROTOCOL'],
    ['a negative pid', { pid: -1 }, 'ERR_HANDOFF_PROTOCOL'],
    ['features that are no list', { features: 'all' }, 'ERR_HANDOFF_PROTOCOL'],
  ])('refuses %s', (_, change, code) => {
    expect(() => readHello(hello({ ...good, ...change }))).toThrow(expect.objectContaining({ code }));
  });

  it('says which versions and intents there are', () => {
    expect(() => readHello(hello({ ...good, protocol: [2, 3] }))).toThrow(/2, 3 was asked for.*speaks 1/);
    expect(() => readHello(hello({ ...good, intent: 'x' }))).toThrow(/takeover, share, status, upgrade/);
  });
});

it('only those who take descriptors bring a lane', () => {
  expect((['takeover', 'share', 'status', 'upgrade'] as const).filter(takesDescriptors)).toEqual(['takeover', 'share']);
});
