import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { close } from '../../../lib/fd/descriptor.ts';
import { bindTcp, bindUdp, listen } from '../../../lib/fd/socket.ts';
import { libraryFile, outcome, typescriptOptions } from '../../support/child-script.ts';

/** What a process finds that has a listener, a datagram socket and a file from descriptor 3 on, with these variables. */
async function found(variables: string, listenFds = true): Promise<unknown> {
  const script = `
    import { getCloseOnExec } from ${libraryFile('fd/descriptor.ts')};
    import { takePassed } from ${libraryFile('programs/passed-variables.ts')};
    const passed = takePassed(${listenFds});
    const left = Object.keys(process.env).filter((name) => /^(LISTEN_|SERVER_STARTER_PORT|NGINX)/.test(name)).sort();
    const told = passed.map(({ name, descriptor, kept = null }) => [name, descriptor.fd, getCloseOnExec(descriptor.fd), kept]);
    console.log(JSON.stringify({ passed: told, left }));
    for (const { descriptor } of passed) descriptor.close();`;
  const listener = bindTcp('127.0.0.1', 0);
  listen(listener, 1);
  const datagrams = bindUdp('127.0.0.1', 0);
  const child = spawn(
    '/bin/sh',
    ['-c', `${variables} exec "$0" "$@"`, process.execPath, ...typescriptOptions, '-e', script],
    { stdio: ['ignore', 'pipe', 'pipe', listener, datagrams, 'ignore'] },
  );
  const { stdout, stderr } = await outcome(child);
  close(listener);
  close(datagrams);
  return { ...JSON.parse(stdout), warned: stderr.includes('FD_HANDOFF_PASSED') };
}

describe('sockets that were passed', () => {
  it.each([
    ['SERVER_STARTER_PORT="127.0.0.1:8080=3;/a=b=4"', [3, 4], true],
    ['NGINX="3;4;"', [3, 4], false],
    ['NGINX="3:"', [3], false],
  ])('%s', async (variables, numbers, kept) => {
    expect(await found(variables)).toEqual({
      passed: numbers.map((number) => ['unknown', number, true, kept]),
      left: [],
      warned: false,
    });
  });

  it('are those of LISTEN_FDS before all others, and of SERVER_STARTER_PORT before those of NGINX', async () => {
    const all = 'LISTEN_PID=$$ LISTEN_FDS=1 SERVER_STARTER_PORT=8080=4 NGINX="3;"';
    expect(await found(all)).toEqual({ passed: [['unknown', 3, true, null]], left: [], warned: false });
    expect(await found('SERVER_STARTER_PORT=8080=4 NGINX="3;"')).toMatchObject({
      passed: [['unknown', 4, true, true]],
    });
  });

  it('can leave the variables of a service manager alone', async () => {
    expect(await found('LISTEN_PID=$$ LISTEN_FDS=1 NGINX="4;"', false)).toEqual({
      passed: [['unknown', 4, true, false]],
      left: ['LISTEN_FDS', 'LISTEN_PID'],
      warned: false,
    });
  });

  it.each(['NGINX="3;5;"', 'NGINX="3;3;"', 'NGINX="3;x;"', 'NGINX="2;"', 'SERVER_STARTER_PORT="8080=77"'])(
    '%s is meant for another program: none is taken, with a warning',
    async (variables) => {
      expect(await found(variables)).toEqual({ passed: [], left: [], warned: true });
    },
  );
});
