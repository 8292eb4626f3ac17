import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deadline } from '../../../lib/channel/deadline.ts';
import { encodeFrame } from '../../../lib/channel/frame.ts';
import { HandoffError } from '../../../lib/fd/handoff-error.ts';
import { sendMessage } from '../../../lib/fd/message.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../../lib/fd/socket.ts';
import { describeForManifest, isManifestEntry, verifyDescriptor } from '../../../lib/transaction/manifest.ts';
import { makeOffer } from '../../../lib/transaction/predecessor.ts';
import { Takeover } from '../../../lib/transaction/successor.ts';
import { ChannelPair } from '../../support/channel-pair.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';

/** How a stream of bytes is spoiled. */
type Mutation =
  | { readonly how: 'change'; readonly at: number; readonly to: number }
  | { readonly how: 'cut'; readonly at: number }
  | { readonly how: 'remove'; readonly at: number; readonly length: number }
  | { readonly how: 'repeat'; readonly at: number; readonly length: number };

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ how: fc.constant('change' as const), at: fc.nat(), to: fc.nat(255) }),
  fc.record({ how: fc.constant('cut' as const), at: fc.nat() }),
  fc.record({ how: fc.constant('remove' as const), at: fc.nat(), length: fc.nat(40) }),
  fc.record({ how: fc.constant('repeat' as const), at: fc.nat(), length: fc.nat(40) }),
);

function mutate(bytes: Buffer, mutations: readonly Mutation[]): Buffer {
  let result = Buffer.from(bytes);
  for (const one of mutations) {
    const at = one.at % (result.length + 1);
    if (one.how === 'change' && at < result.length) result[at] = one.to;
    else if (one.how === 'cut') result = result.subarray(0, at);
    else if (one.how === 'remove') result = Buffer.concat([result.subarray(0, at), result.subarray(at + one.length)]);
    else if (one.how === 'repeat') result = Buffer.concat([result.subarray(0, at + one.length), result.subarray(at)]);
  }
  return result;
}

function tcpListener(): OwnedFd {
  const listener = new OwnedFd(bindTcp('127.0.0.1', 0), 'the listener of a test');
  listen(listener.fd, 8);
  return listener;
}

test('a mutated offer is taken whole or refused with a typed error, and leaks nothing', async () => {
  await using _ = new DescriptorCheck();
  using listener = tcpListener();
  const web = { name: 'web', fd: listener.fd };
  const conversation = Buffer.concat([
    encodeFrame('WELCOME', { protocol: 1, pid: process.pid, generation: 3, features: ['connections'] }),
    encodeFrame('OFFER', {
      mode: 'replace',
      descriptors: [describeForManifest(web), { ...describeForManifest(web), name: 'other' }],
      state: [{ name: 'it', late: false }],
      readyTimeout: 1000,
    }),
    encodeFrame('DESCRIPTORS', { count: 2 }),
    encodeFrame('STATE', { name: 'it', late: false, encoding: 'json', last: true }, Buffer.from('{"hits":3}')),
  ]);
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 0, maxLength: 3 }), async (mutations) => {
      using pair = new ChannelPair();
      // The successor's own words are of no interest here, and must not pile up.
      pair.sendingSocket.resume();
      sendMessage(pair.sendingLane.fd, Buffer.from('F'), [listener.fd, listener.fd]);
      pair.sendingSocket.end(mutate(conversation, mutations));
      using deadline = Deadline.after(20_000, 'The mutated conversation did not end');
      try {
        using takeover = await Takeover.begin(pair.receiving, 'takeover', deadline.signal);
        expect(takeover.unclaimed).toHaveLength(2);
        taken++;
      } catch (error) {
        expect(error).toBeInstanceOf(HandoffError);
        expect((error as HandoffError).code).not.toBe('ERR_HANDOFF_TIMEOUT');
      }
    }),
    { numRuns: 400 },
  );
  expect(taken).toBeGreaterThan(0);
});

test('mutated answers of a successor end an offer with a typed error, and leak nothing', async () => {
  await using _ = new DescriptorCheck();
  using listener = tcpListener();
  const answers = Buffer.concat([encodeFrame('RECEIVED', { count: 3 }), encodeFrame('ADOPTED', { ids: [1, 2] })]);
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 0, maxLength: 3 }), async (mutations) => {
      using pair = new ChannelPair();
      pair.receivingSocket.resume();
      pair.receivingSocket.end(mutate(answers, mutations));
      using deadline = Deadline.after(20_000, 'The mutated conversation did not end');
      const candidate = {
        channel: pair.sending,
        hello: { intent: 'takeover' as const, pid: process.pid, token: null, features: [], details: {} },
      };
      const offer = {
        mode: 'replace' as const,
        generation: 0,
        descriptors: [
          { name: 'one', fd: listener.fd },
          { name: 'two', fd: listener.fd },
        ],
        states: [],
        saveStates: async () => [],
        readyTimeout: 1000,
      };
      // It never becomes ready: however it answers, its connection ends.
      await expect(makeOffer(candidate, offer, deadline.signal, () => {})).rejects.toSatisfy(
        (error) => error instanceof HandoffError && error.code !== 'ERR_HANDOFF_TIMEOUT',
      );
    }),
    { numRuns: 200 },
  );
});

test('no manifest line passes for a descriptor that it does not describe', () => {
  using listener = tcpListener();
  const facts = fc.record(
    {
      name: fc.string(),
      kind: fc.constantFrom('listener', 'socket', 'datagram', 'pipe', 'file', 'toString', ''),
      family: fc.constantFrom('ipv4', 'ipv6', 'unix', null, 4),
      type: fc.constantFrom('stream', 'datagram', null, {}),
      address: fc.constantFrom('127.0.0.1', '0.0.0.0', '::', null, []),
      port: fc.oneof(fc.nat(65535), fc.constant(null), fc.string()),
    },
    { requiredKeys: ['name', 'kind'] },
  );
  fc.assert(
    fc.property(facts, (line) => {
      const entry = JSON.parse(JSON.stringify(line));
      if (!isManifestEntry(entry)) return;
      expect(() => verifyDescriptor(entry, listener)).toThrow(
        expect.objectContaining({ code: 'ERR_HANDOFF_DESCRIPTOR_MISMATCH' }),
      );
    }),
    { numRuns: 2000 },
  );
});
