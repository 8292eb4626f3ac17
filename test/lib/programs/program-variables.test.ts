import { afterEach, describe, expect, it } from 'vitest';
import { close } from '../../../lib/fd/descriptor.ts';
import { bindTcp, bindUnix } from '../../../lib/fd/socket.ts';
import { passToProgram } from '../../../lib/programs/program-variables.ts';
import { boundAddress } from '../../../lib/servers/index.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

const folder = new TemporaryFolder();
const path = folder.file('web.sock');
const ipv4 = bindTcp('127.0.0.1', 0);
const ipv6 = bindTcp('::1', 0);
const unix = bindUnix(path);
afterEach(() => {
  for (const fd of [ipv4, ipv6, unix]) close(fd);
  folder[Symbol.dispose]();
});

describe('what a program inherits', () => {
  const listeners = [
    { name: 'web', fd: ipv4 },
    { name: 'six', fd: ipv6 },
    { name: 'local', fd: unix },
  ];

  it('is numbered from 3 on, and said in the way of each convention', () => {
    const ready = { FD_HANDOFF_READY_FD: '6' };
    const passed = { listeners, ready: 1, readyNumber: null };
    const stdio = [ipv4, ipv6, unix, 1];
    expect(passToProgram({ ...passed, convention: 'systemd' })).toEqual({
      env: { LISTEN_FDS: '3', LISTEN_FDNAMES: 'web:six:local', ...ready },
      stdio,
    });
    expect(passToProgram({ ...passed, convention: 'nginx' })).toEqual({ env: { NGINX: '3;4;5;', ...ready }, stdio });
    const ports = [ipv4, ipv6].map((fd) => boundAddress(fd).port);
    expect(passToProgram({ ...passed, convention: 'server-starter' })).toEqual({
      env: { SERVER_STARTER_PORT: `127.0.0.1:${ports[0]}=3;[::1]:${ports[1]}=4;${path}=5`, ...ready },
      stdio,
    });

    // The number that a program has for its ready descriptor may leave some out, and must not be a listener's.
    const first = listeners.slice(0, 1);
    const numbered = { listeners: first, ready: 1, convention: 'systemd' } as const;
    expect(passToProgram({ ...numbered, readyNumber: 6 })).toMatchObject({
      env: { FD_HANDOFF_READY_FD: '6' },
      stdio: [ipv4, 'ignore', 'ignore', 1],
    });
    expect(() => passToProgram({ ...numbered, readyNumber: 3 })).toThrow('Give 4 or a higher number');
  });
});
