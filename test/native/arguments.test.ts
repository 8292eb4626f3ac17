import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as internal from '../../lib/fd/descriptor.ts';
import * as fd from '../../lib/fd/index.ts';
import { tryLock, unlock } from '../../lib/fd/lock.ts';
import { native } from '../../lib/fd/native.ts';
import { unlessLinux } from './support.ts';

type AnyFunction = (...args: unknown[]) => unknown;

const TYPE = 'ERR_INVALID_ARG_TYPE';
const RANGE = 'ERR_OUT_OF_RANGE';
const VALUE = 'ERR_INVALID_ARG_VALUE';

const BAD_FDS: [unknown, string][] = [
  [undefined, TYPE],
  [null, TYPE],
  ['1', TYPE],
  [{}, TYPE],
  [1n, TYPE],
  [-1, RANGE],
  [1.5, RANGE],
  [Number.NaN, RANGE],
  [Number.POSITIVE_INFINITY, RANGE],
  [2 ** 31, RANGE],
];

const withFd: Record<string, (bad: unknown) => unknown> = {};
const call =
  (f: unknown, ...rest: unknown[]) =>
  (bad: unknown) =>
    (f as AnyFunction)(bad, ...rest);
for (const f of [fd.dup, fd.getCloseOnExec, fd.getNonBlocking, fd.close, fd.listen, fd.accept, fd.peerCredentials]) {
  withFd[f.name] = call(f);
}
for (const f of [fd.describe, tryLock, unlock]) withFd[f.name] = call(f);
for (const f of [fd.setCloseOnExec, fd.setNonBlocking]) withFd[f.name] = call(f, true);
withFd.duplicateTo = call(internal.duplicateTo, 5);
withFd['duplicateTo, target'] = (bad) => (internal.duplicateTo as AnyFunction)(1, bad);
withFd.closeAll = (bad) => (internal.closeAll as AnyFunction)([bad]);
withFd.sendMessage = call(fd.sendMessage, Buffer.from('x'), []);
withFd['sendMessage, fds'] = (bad) => (fd.sendMessage as AnyFunction)(1, Buffer.from('x'), [1, bad]);
withFd['sendDatagram, fds'] = (bad) => (fd.sendDatagram as AnyFunction)('/x', Buffer.from('x'), [1, bad]);
withFd.receiveMessage = call(fd.receiveMessage, 1, 0);
withFd.OwnedFd = (bad) => new fd.OwnedFd(bad as number);
withFd['OwnedFd.dup'] = (bad) => fd.OwnedFd.dup(bad as number);

for (const [name, attempt] of Object.entries(withFd)) {
  test(`${name} refuses what is no descriptor number`, () => {
    for (const [bad, code] of BAD_FDS) {
      assert.throws(() => attempt(bad), { code, name: code === TYPE ? 'TypeError' : 'RangeError' }, inspect(bad));
    }
  });
}

const bytes = Buffer.from('x');
const cases: [AnyFunction, unknown[], string][] = [
  [fd.dup as AnyFunction, [1, '3'], TYPE],
  [fd.dup as AnyFunction, [1, -1], RANGE],
  [fd.dup as AnyFunction, [1, 3.5], RANGE],
  [fd.setCloseOnExec as AnyFunction, [1], TYPE],
  [fd.setCloseOnExec as AnyFunction, [1, 1], TYPE],
  [fd.setNonBlocking as AnyFunction, [1, 'yes'], TYPE],
  [internal.closeAll as AnyFunction, [1], TYPE],
  [fd.bindTcp as AnyFunction, [undefined, 0], TYPE],
  [fd.bindTcp as AnyFunction, ['localhost', 0], VALUE],
  [fd.bindTcp as AnyFunction, ['', 0], VALUE],
  [fd.bindTcp as AnyFunction, ['127.1', 0], VALUE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1\0', 0], VALUE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1'], TYPE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', '80'], TYPE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', -1], RANGE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', 65_536], RANGE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', 0.5], RANGE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', 0, null], TYPE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', 0, []], TYPE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', 0, { ipv6Only: 1 }], TYPE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', 0, { reuseAddress: 1 }], TYPE],
  [fd.bindTcp as AnyFunction, ['127.0.0.1', 0, { reusePort: 1 }], TYPE],
  [fd.bindUdp as AnyFunction, ['localhost', 0], VALUE],
  [fd.bindUdp as AnyFunction, ['::1', 65_536], RANGE],
  [fd.bindUnix as AnyFunction, [undefined], TYPE],
  [fd.bindUnix as AnyFunction, [Buffer.from('/x')], TYPE],
  [fd.bindUnix as AnyFunction, [''], VALUE],
  [fd.bindUnix as AnyFunction, ['@'], VALUE],
  [fd.bindUnix as AnyFunction, ['/tmp/a\0b'], VALUE],
  [fd.bindUnix as AnyFunction, ['/x', 1], TYPE],
  [fd.bindUnix as AnyFunction, ['/x', { mode: '600' }], TYPE],
  [fd.bindUnix as AnyFunction, ['/x', { mode: 0o1000 }], RANGE],
  [fd.bindUnix as AnyFunction, ['/x', { mode: -1 }], RANGE],
  [fd.bindUnix as AnyFunction, ['/x', { type: 'dgram' }], VALUE],
  [fd.connectUnix as AnyFunction, [], TYPE],
  [fd.connectUnix as AnyFunction, [''], VALUE],
  [fd.listen as AnyFunction, [1, '5'], TYPE],
  [fd.listen as AnyFunction, [1, -1], RANGE],
  [fd.sendMessage as AnyFunction, [1, 'text', []], TYPE],
  [fd.sendMessage as AnyFunction, [1, new DataView(new ArrayBuffer(1)), []], TYPE],
  [fd.sendMessage as AnyFunction, [1, bytes, 1], TYPE],
  [fd.sendMessage as AnyFunction, [1, bytes, null], TYPE],
  [fd.sendMessage as AnyFunction, [1, bytes, new Array(1)], TYPE],
  [fd.sendMessage as AnyFunction, [1, bytes, new Array(254).fill(1)], RANGE],
  [fd.receiveMessage as AnyFunction, [1], TYPE],
  [fd.receiveMessage as AnyFunction, [1, 0, 0], RANGE],
  [fd.receiveMessage as AnyFunction, [1, 1], TYPE],
  [fd.receiveMessage as AnyFunction, [1, 1, -1], RANGE],
  [fd.receiveMessage as AnyFunction, [1, 1, 254], RANGE],
  [fd.sendDatagram as AnyFunction, [1, bytes], TYPE],
  [fd.sendDatagram as AnyFunction, ['/x', 'text'], TYPE],
  [fd.exec as AnyFunction, [1, ['x'], {}], TYPE],
  [fd.exec as AnyFunction, ['/x\0', ['x'], {}], VALUE],
  [fd.exec as AnyFunction, ['/x', 'x', {}], TYPE],
  [fd.exec as AnyFunction, ['/x', [], {}], RANGE],
  [fd.exec as AnyFunction, ['/x', [1], {}], TYPE],
  [fd.exec as AnyFunction, ['/x', ['a\0'], {}], VALUE],
  [fd.exec as AnyFunction, ['/x', ['x']], TYPE],
  [fd.exec as AnyFunction, ['/x', ['x'], { A: 1 }], TYPE],
  [fd.exec as AnyFunction, ['/x', ['x'], { A: 'b\0' }], VALUE],
  [fd.exec as AnyFunction, ['/x', ['x'], { 'A=B': 'c' }], VALUE],
];

for (const [f, args, code] of cases) {
  test(`${f.name}(${args.map((argument) => inspect(argument, { breakLength: 1e3 }).slice(0, 40)).join(', ')}) is ${code}`, () => {
    assert.throws(() => f(...args), { code, name: code === RANGE ? 'RangeError' : 'TypeError' });
  });
}

test('an address that the addon itself cannot take is an error, too', { skip: unlessLinux }, () => {
  assert.equal(native().bindTcp('localhost', 0, false, false, false), -constants.errno.EINVAL);
  // The path that only the library refuses: nobody listens at it.
  assert.equal(native().connectUnix(''), -constants.errno.ECONNREFUSED);
});

test('the messages are in the words of Node', () => {
  const bad = fd.dup as AnyFunction;
  assert.throws(() => bad('1'), { message: `The "fd" argument must be of type number. Received type string ('1')` });
  assert.throws(() => bad(), { message: 'The "fd" argument must be of type number. Received undefined' });
  assert.throws(() => bad(new Map()), {
    message: 'The "fd" argument must be of type number. Received an instance of Map',
  });
  assert.throws(() => bad(bad), { message: 'The "fd" argument must be of type number. Received function dup' });
  assert.throws(() => bad(Object.create(null)), {
    message: 'The "fd" argument must be of type number. Received [Object: null prototype] {}',
  });
  assert.throws(() => bad('a text that is longer than that'), {
    message: `The "fd" argument must be of type number. Received type string ('a text that is longer th...)`,
  });
  assert.throws(() => bad(-1), {
    message: 'The value of "fd" is out of range. It must be >= 0 && <= 2147483647. Received -1',
    stack: /^RangeError \[ERR_OUT_OF_RANGE\]: The value/,
  });
  assert.throws(() => bad(1.5), { message: 'The value of "fd" is out of range. It must be an integer. Received 1.5' });
  assert.throws(() => fd.bindTcp('localhost', 0), {
    message:
      "The argument 'address' must be a numeric IPv4 or IPv6 address, because names are not looked up. Received 'localhost'",
  });
});
