import { afterEach, beforeEach, expect, it } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../../../lib/fd/socket.ts';
import { boundAddress } from '../../../../lib/servers/binding/bound-socket.ts';
import { isPortShared, whilePortIsShared } from '../../../../lib/servers/binding/shared-port.ts';

let there: OwnedFd;
let port: number;

beforeEach(() => {
  there = new OwnedFd(bindTcp('127.0.0.1', 0));
  listen(there.fd);
  port = boundAddress(there.fd).port as number;
});
afterEach(() => there.close());

it('lets another be bound beside a listener, and leaves nothing of it', () => {
  expect(() => bindTcp('0.0.0.0', port, { reusePort: true })).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
  using beside = new OwnedFd(whilePortIsShared([there.fd], () => bindTcp('0.0.0.0', port, { reusePort: true })));
  expect(isPortShared(there.fd)).toBe(false);
  whilePortIsShared([there.fd], () => listen(beside.fd));
  expect(isPortShared(there.fd)).toBe(false);
});

it('leaves the option where it was set before, and puts it back where the call throws', () => {
  using shared = new OwnedFd(bindTcp('127.0.0.1', 0, { reusePort: true }));
  const fail = () => {
    expect([there.fd, shared.fd].map(isPortShared)).toEqual([true, true]);
    throw new Error('no');
  };
  expect(() => whilePortIsShared([there.fd, shared.fd], fail)).toThrow('no');
  expect([there.fd, shared.fd].map(isPortShared)).toEqual([false, true]);
});
