import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bindTcp } from '../../../../lib/fd/socket.ts';
import { portError } from '../../../../lib/servers/binding/port-error.ts';

const systemError = (code: string) =>
  Object.assign(new Error(`bind ${code}: so`), { code, errno: -1, syscall: 'bind' });

const told = (code: string, port = 80, address = '::') =>
  (portError(systemError(code), 'tcp', address, port) as Error).message;

describe('an error of the system for a port', () => {
  it('is still that error, with its stack beginning with what to do', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      bindTcp('127.0.0.1', port);
      expect.unreachable();
    } catch (cause) {
      const error = portError(cause, 'tcp', '127.0.0.1', port) as Error;
      expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind', address: '127.0.0.1', port, cause });
      expect(error.stack).toContain(error.message);
      if (process.platform === 'linux') expect(error.message).toMatch(/this process itself .* not to listen by itself/);
    }
    server.close();
  });

  it('of a port that somebody has who cannot be told', () => {
    expect(told('EADDRINUSE', 0)).toMatch(/Another process has the port: end it/);
  });

  it('of a port that is for root', () => {
    expect(told('EACCES', 1)).toMatch(
      /Ports below \d+ are for root alone, and this process is user \d+: start it as root.*CAP_NET_BIND_SERVICE/,
    );
    expect(told('EACCES', 65_000)).toMatch(/User \d+ may not bind to \[::\]:65000/);
  });

  it.each<[string, RegExp]>([
    ['EADDRNOTAVAIL', /No interface of this machine/],
    ['EAFNOSUPPORT', /no IPv6/],
    ['EMFILE', /ulimit -n/],
    ['ENFILE', /fs\.file-max/],
  ])('%s', (code, advice) => {
    expect(told(code)).toMatch(advice);
  });

  it('that needs no advice, or is none, is given back as it is', () => {
    for (const error of [systemError('EINVAL'), new Error('none'), 'none']) {
      expect(portError(error, 'tcp', '::', 80)).toBe(error);
    }
  });
});
