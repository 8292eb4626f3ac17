import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2SecureServer } from 'node:http2';
import type { Server } from 'node:net';
import {
  type DrainReport,
  type Handoff,
  type HandoffDiagnostics,
  HandoffError,
  type HandoffErrorCode,
  type HandoffEvents,
  type HandoffOptions,
  handoff,
  isSupported,
  type OwnedFd,
  type PeerCredentials,
} from 'fd-handoff';
import { expectTypeOf, test } from 'vitest';

test('handoff() can be called with nothing, and takes no option that it does not have', () => {
  expectTypeOf(handoff).returns.resolves.toEqualTypeOf<Handoff>();
  expectTypeOf(handoff).toBeCallableWith();
  expectTypeOf(handoff).toBeCallableWith({ control: '@app', signals: false, drainTimeout: 1, share: true });
  // @ts-expect-error -- a misspelt option must not pass in silence
  expectTypeOf(handoff).toBeCallableWith({ controll: './app.sock' });
  expectTypeOf<NonNullable<HandoffOptions['authorize']>>().parameter(0).toEqualTypeOf<PeerCredentials>();
});

test('listen() takes every server of Node and says where it listens', () => {
  expectTypeOf<Handoff['listen']>().parameter(0).toEqualTypeOf<Server>();
  expectTypeOf<Http2SecureServer>().toExtend<Parameters<Handoff['listen']>[0]>();
  expectTypeOf<Awaited<ReturnType<Handoff['listen']>>>().toHaveProperty('inherited').toEqualTypeOf<boolean>();
});

test('what a process does at its end', () => {
  expectTypeOf<Handoff['upgrade']>().returns.resolves.toBeNumber();
  expectTypeOf<Handoff['reexec']>().returns.resolves.toBeNever();
  expectTypeOf<Handoff['shutdown']>().returns.resolves.toEqualTypeOf<DrainReport>();
  expectTypeOf<Handoff['closed']>().resolves.toEqualTypeOf<DrainReport>();
  expectTypeOf<Handoff['draining']>().toEqualTypeOf<AbortSignal>();
  expectTypeOf<DrainReport['reason']>().toEqualTypeOf<'handoff' | 'shutdown' | 'called-off'>();
  expectTypeOf<Handoff['health']>().returns.toEqualTypeOf<
    (request: IncomingMessage, response: ServerResponse) => void
  >();
});

test('events have their own arguments', () => {
  const app = {} as Handoff;
  app.on('rollback', ({ error }) => expectTypeOf(error).toEqualTypeOf<Error>());
  app.on('drain', (report) => expectTypeOf(report).toEqualTypeOf<DrainReport>());
  app.on('commit', ({ pid }) => expectTypeOf(pid).toBeNumber());
});

test('state comes back as what was saved', () => {
  const app = {} as Handoff;
  app.state('counters', {
    save: () => ({ requests: 1 }),
    restore: (value) => {
      expectTypeOf(value).toEqualTypeOf<{ requests: number }>();
    },
  });
});

test('a descriptor may be a number or owned', () => {
  expectTypeOf<Parameters<Handoff['descriptor']>[1]>().returns.toEqualTypeOf<
    number | OwnedFd | Promise<number | OwnedFd>
  >();
  expectTypeOf<Handoff['descriptor']>().returns.resolves.toBeNumber();
});

test('errors have the codes of the documentation', () => {
  expectTypeOf(HandoffError).instance.toExtend<Error>();
  expectTypeOf<HandoffError['code']>().toEqualTypeOf<HandoffErrorCode>();
  expectTypeOf<'ERR_HANDOFF_BUSY'>().toExtend<HandoffErrorCode>();
  expectTypeOf<'ERR_OTHER'>().not.toExtend<HandoffErrorCode>();
  expectTypeOf(isSupported).returns.toBeBoolean();
});

test('every event has a channel, whose messages have what its listeners are given', () => {
  expectTypeOf<`fd-handoff:${keyof HandoffEvents}`>().toExtend<keyof HandoffDiagnostics>();
  expectTypeOf<HandoffDiagnostics['fd-handoff:offer']>().toExtend<HandoffEvents['offer'][0]>();
  expectTypeOf<HandoffDiagnostics['fd-handoff:commit']>().toExtend<HandoffEvents['commit'][0]>();
  expectTypeOf<HandoffDiagnostics['fd-handoff:rollback']>().toExtend<HandoffEvents['rollback'][0]>();
  expectTypeOf<HandoffDiagnostics['fd-handoff:give-back']>().toExtend<HandoffEvents['give-back'][0]>();
  expectTypeOf<HandoffDiagnostics['fd-handoff:reopen']>().toExtend<HandoffEvents['reopen'][0]>();
  expectTypeOf<HandoffDiagnostics['fd-handoff:drain']>().toExtend<HandoffEvents['drain'][0]>();
  expectTypeOf<HandoffDiagnostics['fd-handoff:phase']['handoff']>().toEqualTypeOf<Handoff>();
});
