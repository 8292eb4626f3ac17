import {
  accept,
  bindTcp,
  type Description,
  describe,
  dup,
  exec,
  type Message,
  OwnedFd,
  type PeerCredentials,
  peerCredentials,
  pipe,
  receiveMessage,
  sendMessage,
} from 'fd-handoff/fd';
import { expectTypeOf, test } from 'vitest';

test('calls that make descriptors return numbers, and pairs where there are two', () => {
  expectTypeOf(dup).returns.toBeNumber();
  expectTypeOf(bindTcp).returns.toBeNumber();
  expectTypeOf(pipe).returns.toExtend<readonly [number, number]>();
});

test('where there may be nothing yet, null says so', () => {
  expectTypeOf(receiveMessage).returns.toEqualTypeOf<Message | null>();
  expectTypeOf(accept).returns.toEqualTypeOf<number | null>();
  expectTypeOf<Message['fds']>().toExtend<readonly number[]>();
});

test('a message takes bytes and descriptors that are borrowed', () => {
  expectTypeOf(sendMessage).toBeCallableWith(3, new Uint8Array(1), [4]);
  // @ts-expect-error -- an owner keeps its descriptor: only its number is lent
  expectTypeOf(sendMessage).toBeCallableWith(3, new Uint8Array(1), [new OwnedFd(4)]);
});

test('a description is told apart by its kind', () => {
  const description = {} as Description;
  if (description.kind === 'socket') expectTypeOf(description.listening).toBeBoolean();
  // @ts-expect-error -- what is no socket does not listen
  else void description.listening;
  expectTypeOf(describe).returns.toEqualTypeOf<Description>();
});

test('an owner is disposable, and its process knows who is at the other end', () => {
  expectTypeOf<OwnedFd>().toExtend<Disposable>();
  expectTypeOf(peerCredentials).returns.toEqualTypeOf<PeerCredentials>();
  expectTypeOf<keyof PeerCredentials>().toEqualTypeOf<'pid' | 'uid' | 'gid'>();
});

test('exec never returns', () => {
  expectTypeOf(exec).returns.toBeNever();
});
