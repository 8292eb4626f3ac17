import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { libraryFile, outcome, typescriptOptions } from '../../support/child-script.ts';

/** What a process finds that was given so many descriptors with these variables; `$$` is its own pid. */
async function found(descriptors: number, variables: string): Promise<unknown> {
  const script = `
    import { fstatSync } from 'node:fs';
    import { getCloseOnExec } from ${libraryFile('fd/descriptor.ts')};
    import { takePassedDescriptors } from ${libraryFile('systemd/listen-fds.ts')};
    const open = (fd) => { try { fstatSync(fd); return true; } catch { return false; } };
    const left = () => Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
    try {
      const passed = takePassedDescriptors();
      console.log(JSON.stringify({
        passed: passed.map(({ name, descriptor }) => [name, descriptor.fd, getCloseOnExec(descriptor.fd)]),
        left: left(),
      }));
      for (const { descriptor } of passed) descriptor.close();
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message, open: [3, 4].map(open), left: left() }));
    }`;
  const nothing = openSync('/dev/null', 'r');
  const child: ChildProcess = spawn(
    '/bin/sh',
    ['-c', `${variables} exec "$0" "$@"`, process.execPath, ...typescriptOptions, '-e', script],
    { stdio: ['ignore', 'pipe', 'pipe', ...Array.from({ length: descriptors }, () => nothing)] },
  );
  closeSync(nothing);
  const { stdout, stderr } = await outcome(child);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describe('what a service manager passes', () => {
  it('is taken with its names, gets close-on-exec, and the variables are gone', async () => {
    expect(await found(3, 'LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=web:web:admin LISTEN_PIDFDID=7')).toEqual({
      passed: [
        ['web', 3, true],
        ['web', 4, true],
        ['admin', 5, true],
      ],
      left: [],
    });
  });

  it('is called "unknown" without names', async () => {
    expect(await found(1, 'LISTEN_PID=$$ LISTEN_FDS=1')).toEqual({ passed: [['unknown', 3, true]], left: [] });
  });

  it.each([
    ['meant for another process', 'LISTEN_PID=1 LISTEN_FDS=1'],
    ['nothing', 'LISTEN_PID=$$ LISTEN_FDS=0 LISTEN_FDNAMES='],
    ['without a pid', 'LISTEN_FDS=1'],
    ['without a number', 'LISTEN_PID=$$'],
  ])('is left alone where it is %s', async (_what, variables) => {
    expect(await found(1, variables)).toEqual({ passed: [], left: [] });
  });

  it.each([
    [
      'too few names',
      'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web',
      /"web", 1 names, and LISTEN_FDS is 2/,
      [false, false],
    ],
    [
      'too many names',
      'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b',
      /"a:b", 2 names, and LISTEN_FDS is 1/,
      [false, true],
    ],
    [
      'no such descriptor',
      'LISTEN_PID=$$ LISTEN_FDS=900',
      /LISTEN_FDS is 900, and descriptor \d+ is not open/,
      [true, true],
    ],
    ['no number', 'LISTEN_PID=$$ LISTEN_FDS=two', /LISTEN_FDS is "two"/, [true, true]],
    ['no pid', 'LISTEN_PID=me LISTEN_FDS=2', /LISTEN_PID is "me"/, [true, true]],
  ])('is a clear error with %s', async (_what, variables, message, open) => {
    expect(await found(2, variables)).toEqual({
      code: 'ERR_HANDOFF_PROTOCOL',
      message: expect.stringMatching(message),
      open,
      left: [],
    });
  });
});
