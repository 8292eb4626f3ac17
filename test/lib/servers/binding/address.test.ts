import { type ListenOptions, Server } from 'node:net';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type AddressOptions,
  defaultName,
  formatAddress,
  resolveAddress,
  resolveDatagramAddress,
  satisfies,
  wantedAddress,
} from '../../../../lib/servers/binding/address.ts';

describe('resolveAddress', () => {
  it('without a host is every address', async () => {
    const everywhere = { family: 'tcp', host: null, address: '::', port: 80 };
    expect(await resolveAddress({ port: 80 })).toEqual(everywhere);
    expect(await resolveAddress({ port: 80, host: '' })).toEqual(everywhere);
    expect(await resolveAddress({ port: 80, host: null } as unknown as AddressOptions)).toEqual(everywhere);
  });

  it.each(['127.0.0.1', '::1', 'fe80::1%lo'])('keeps the address %s', async (host) => {
    expect(await resolveAddress({ port: 0, host })).toEqual({ family: 'tcp', host, address: host, port: 0 });
  });

  it('writes an IPv6 address as the kernel does, or an inherited listener would not be found', async () => {
    expect(await resolveAddress({ port: 0, host: '0:0:0:0:0:0:0:1' })).toMatchObject({ address: '::1' });
    expect(await resolveAddress({ port: 0, host: '::FFFF:127.0.0.1' })).toMatchObject({ address: '::ffff:127.0.0.1' });
    expect(await resolveAddress({ port: 0, host: 'FE80::0:1%lo' })).toMatchObject({ address: 'fe80::1%lo' });
  });

  it('looks names up', async () => {
    const found = await resolveAddress({ port: 0, host: 'localhost' });
    expect(found).toMatchObject({ host: 'localhost', address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) });
    expect(found).toHaveProperty('otherAddresses', expect.any(Array));
    await expect(resolveAddress({ port: 0, host: 'no-such-host.invalid' })).rejects.toMatchObject({
      syscall: 'getaddrinfo',
    });
  });

  it('makes a path absolute, and leaves an abstract name', async () => {
    expect(await resolveAddress({ path: 'x.sock' })).toEqual({ family: 'unix', path: resolve('x.sock') });
    expect(await resolveAddress({ path: '@x' })).toEqual({ family: 'unix', path: '@x' });
  });

  it.each<[unknown, string]>([
    [{}, 'ERR_INVALID_ARG_VALUE'],
    [{ port: 1, path: '/x' }, 'ERR_INVALID_ARG_VALUE'],
    [{ path: '' }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ port: '' }, 'ERR_SOCKET_BAD_PORT'],
    [{ port: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ port: -1 }, 'ERR_SOCKET_BAD_PORT'],
    [{ port: 65536 }, 'ERR_SOCKET_BAD_PORT'],
    [{ port: 1.5 }, 'ERR_SOCKET_BAD_PORT'],
    [{ port: Number.NaN }, 'ERR_SOCKET_BAD_PORT'],
    [{ port: 1, host: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %j', async (options, code) => {
    await expect(resolveAddress(options as AddressOptions)).rejects.toMatchObject({ code });
  });
});

describe('defaultName', () => {
  it.each([
    [{ port: 80 }, 'tcp-80'],
    [{ port: 80, host: '127.0.0.1' }, 'tcp-127.0.0.1-80'],
    [{ port: 80, host: '::1' }, 'tcp-..1-80'],
    [{ path: '/run/a:b.sock' }, 'unix-/run/a.b.sock'],
    [{ path: '@x' }, 'unix-@x'],
    [{ path: '/run/größe.sock' }, 'unix-/run/gr..e.sock'],
  ])('of %j is %s', async (options, name) => {
    expect(defaultName(await resolveAddress(options))).toBe(name);
  });
});

describe('a datagram socket’s address', () => {
  it.each<['udp4' | 'udp6', object, object]>([
    ['udp4', { port: 53 }, { family: 'udp4', host: null, address: '0.0.0.0', port: 53 }],
    ['udp6', { port: 53 }, { family: 'udp6', host: null, address: '::', port: 53 }],
    ['udp4', { port: 0, address: '127.0.0.1' }, { family: 'udp4', host: '127.0.0.1', address: '127.0.0.1', port: 0 }],
    ['udp6', { port: 0, address: '0::1' }, { family: 'udp6', host: '0::1', address: '::1', port: 0 }],
    ['udp4', { port: 0, address: 'localhost' }, { family: 'udp4', host: 'localhost', address: '127.0.0.1', port: 0 }],
    ['udp4', { port: 0, address: '' }, { family: 'udp4', host: null, address: '0.0.0.0', port: 0 }],
    ['udp6', { path: '/x' }, { family: 'unix', path: '/x' }],
    ['udp4', { path: '@x' }, { family: 'unix', path: '@x' }],
  ])('of type %s and %j is %j', async (type, options, expected) => {
    expect(await resolveDatagramAddress(options, type)).toEqual(expected);
  });

  it.each<['udp4' | 'udp6', object, RegExp]>([
    ['udp4', { port: 53, address: '::1' }, /not one of IPv4.*"udp4"/],
    ['udp6', { port: 53, address: '127.0.0.1' }, /not one of IPv6/],
    ['udp4', { port: 53, address: 5 }, /"address"/],
    ['udp4', { address: '127.0.0.1' }, /"port" or "path"/],
    ['udp4', { port: 65_536 }, /options\.port should be/],
  ])('of type %s and %j cannot be', async (type, options, message) => {
    await expect(resolveDatagramAddress(options, type)).rejects.toThrow(message);
  });

  it('has a name that says which type it is of: one port can have both', async () => {
    const names = [
      await resolveDatagramAddress({ port: 53 }, 'udp4'),
      await resolveDatagramAddress({ port: 53 }, 'udp6'),
      await resolveDatagramAddress({ port: 53, address: '::1' }, 'udp6'),
      await resolveDatagramAddress({ path: '/x' }, 'udp4'),
    ].map(defaultName);
    expect(names).toEqual(['udp4-53', 'udp6-53', 'udp6-..1-53', 'unix-/x']);
  });

  it('of every address is not that of the other family', async () => {
    const wanted = await resolveDatagramAddress({ port: 53 }, 'udp6');
    expect(satisfies({ address: '::', port: 53 }, wanted)).toBe(true);
    expect(satisfies({ address: '0.0.0.0', port: 53 }, wanted)).toBe(false);
  });
});

describe('satisfies', () => {
  it.each<[object, AddressOptions, boolean]>([
    [{ address: '::', port: 80 }, { port: 80 }, true],
    [{ address: '0.0.0.0', port: 80 }, { port: 80 }, false],
    [{ address: '0.0.0.0', port: 80 }, { port: 80, host: '::' }, false],
    [{ address: '127.0.0.1', port: 80 }, { port: 80 }, false],
    [{ address: '127.0.0.1', port: 80 }, { port: 80, host: '127.0.0.1' }, true],
    [{ address: '127.0.0.1', port: 81 }, { port: 80, host: '127.0.0.1' }, false],
    [{ address: '127.0.0.1', port: 81 }, { port: 0, host: '127.0.0.1' }, true],
    [{ address: '::1', port: 80 }, { port: 80, host: '0::1' }, true],
    [{ path: '/x' }, { path: '/x' }, true],
    [{ path: '/y' }, { path: '/x' }, false],
    [{ path: '/x' }, { port: 0 }, false],
    [{ address: '::', port: 80 }, { path: '/x' }, false],
  ])('%j for %j: %s', async (bound, wanted, expected) => {
    expect(satisfies(bound, await resolveAddress(wanted))).toBe(expected);
  });
});

it('formatAddress is for people', () => {
  expect(formatAddress({ address: '127.0.0.1', port: 80 })).toBe('127.0.0.1:80');
  expect(formatAddress({ address: '::1', port: 80 })).toBe('[::1]:80');
  expect(formatAddress({ path: '/x' })).toBe('/x');
  expect(formatAddress({})).toBe('an unnamed address');
});

describe('a name alone', () => {
  it('asks for whatever has it', async () => {
    const wanted = await wantedAddress({ name: 'web' });
    expect(wanted).toEqual({ family: 'any', name: 'web' });
    expect(satisfies({ address: '127.0.0.1', port: 8080 }, wanted)).toBe(true);
    expect(satisfies({ path: '/run/web.sock' }, wanted)).toBe(true);
    expect(defaultName(wanted)).toBe('web');
  });

  it('is not all where an address is given as well', async () => {
    expect(await wantedAddress({ name: 'web', port: 8080 })).toMatchObject({ family: 'tcp', port: 8080 });
    expect(await wantedAddress({ name: 'web', path: '/run/web.sock' })).toMatchObject({ family: 'unix' });
    await expect(wantedAddress({ name: 'web', host: '::1' })).rejects.toThrow(/Give "port" or "path"/);
    await expect(wantedAddress({})).rejects.toThrow(/Give "port" or "path"/);
  });
});

describe('a port is read as Node reads it', () => {
  /** What Node's own `listen()` throws for a port, before anything is bound. */
  function refusedByNode(port: unknown): Error {
    try {
      new Server().listen({ port } as ListenOptions);
    } catch (error) {
      return error as Error;
    }
    throw new Error(`Node takes the port ${String(port)}`);
  }

  it.each(['8080', ' 8080 ', '0x1F90', '8.08e3', '8080.0', '0'])('takes %j', async (port) => {
    expect(await resolveAddress({ port, host: '127.0.0.1' })).toMatchObject({ port: Number(port) });
    expect(await resolveDatagramAddress({ port, address: '127.0.0.1' }, 'udp4')).toMatchObject({ port: Number(port) });
  });

  it.each(['', ' ', 'http', '80,81', '70000', '-1', '1.5', '/run/app.sock', Number.NaN, -1, 1.5, 65536, Infinity])(
    'refuses %j in the same words',
    async (port) => {
      const { name, message, code } = refusedByNode(port) as NodeJS.ErrnoException;
      await expect(resolveAddress({ port })).rejects.toMatchObject({ name, message, code });
    },
  );
});

describe('a host that is none', () => {
  it.each([
    ['[::1]', /without brackets/],
    ['localhost:8080', /the port as "port"/],
    ['http://localhost', /no URL/],
    ['no-such-host.invalid', /a name that this machine knows/],
  ])('%s: it is said what to give', async (host, advice) => {
    await expect(resolveAddress({ port: 0, host })).rejects.toMatchObject({ message: advice, hostname: host });
  });
});
