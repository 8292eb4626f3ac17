import { describe, expect, it } from 'vitest';
import { type ListenOptions, readListenOptions } from '../../../../lib/servers/serving/listen-options.ts';

describe('readListenOptions', () => {
  it('has a default for each', () => {
    expect(readListenOptions({ port: 0 })).toEqual({
      backlog: 511,
      mode: undefined,
      owner: undefined,
      ipv6Only: false,
      reusePort: false,
      connections: 'move',
    });
  });

  it('takes hooks of connections', () => {
    const connections = { save: () => null, restore: () => {} };
    expect(readListenOptions({ port: 0, connections })).toMatchObject({ connections });
  });

  it.each<[unknown, string, RegExp]>([
    [undefined, 'ERR_INVALID_ARG_TYPE', /\{ port: 8080 \} or \{ path: /],
    [null, 'ERR_INVALID_ARG_TYPE', /\{ port: 8080 \} or \{ path: /],
    [{ port: 0, reuseport: true }, 'ERR_INVALID_ARG_VALUE', /Did you mean "reusePort"\?/],
    [{ port: 0, tls: true }, 'ERR_INVALID_ARG_VALUE', /It takes backlog, connections, host, /],
    [{ port: 0, reusePort: 1 }, 'ERR_INVALID_ARG_TYPE', /options\.reusePort/],
    [{ port: 0, ipv6Only: 'yes' }, 'ERR_INVALID_ARG_TYPE', /options\.ipv6Only/],
    [{ port: 0, backlog: -1 }, 'ERR_OUT_OF_RANGE', /options\.backlog/],
    [{ port: 0, backlog: '5' }, 'ERR_INVALID_ARG_TYPE', /options\.backlog/],
    [{ port: 0, connections: 'keep' }, 'ERR_INVALID_ARG_VALUE', /'move', 'drain'/],
    [{ port: 0, connections: null }, 'ERR_INVALID_ARG_VALUE', /'move', 'drain'/],
    [{ port: 0, connections: { save() {} } }, 'ERR_INVALID_ARG_TYPE', /options\.connections\.restore/],
    [{ port: 0, connections: { restore() {}, save: 1 } }, 'ERR_INVALID_ARG_TYPE', /options\.connections\.save/],
    [{ port: 0, connections: { store() {} } }, 'ERR_INVALID_ARG_VALUE', /Did you mean "restore"\?|save, |restore, /],
    [{ path: '/x', mode: 0o1000 }, 'ERR_OUT_OF_RANGE', /options\.mode/],
    [{ path: '/x', owner: 'www' }, 'ERR_INVALID_ARG_TYPE', /options\.owner/],
    [{ path: '/x', owner: { uid: 'www' } }, 'ERR_INVALID_ARG_TYPE', /options\.owner\.uid/],
    [{ path: '/x', owner: { gid: -1 } }, 'ERR_OUT_OF_RANGE', /options\.owner\.gid/],
    [{ path: '/x', owner: { gid: 2 ** 32 - 1 } }, 'ERR_OUT_OF_RANGE', /options\.owner\.gid/],
    [{ path: '/x', owner: { user: 1 } }, 'ERR_INVALID_ARG_VALUE', /owner of a socket file has no option "user"/],
    [{ port: 0, mode: 0o600 }, 'ERR_INVALID_ARG_VALUE', /path of a socket file/],
    [{ port: 0, owner: { uid: 1 } }, 'ERR_INVALID_ARG_VALUE', /path of a socket file/],
    [{ path: '@x', mode: 0o600 }, 'ERR_INVALID_ARG_VALUE', /path of a socket file/],
    [{ path: '/x', reusePort: true }, 'ERR_INVALID_ARG_VALUE', /with a port/],
    [{ path: '/x', ipv6Only: true }, 'ERR_INVALID_ARG_VALUE', /with a port/],
  ])('refuses %j', (options, code, message) => {
    expect(() => readListenOptions(options as ListenOptions)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});
