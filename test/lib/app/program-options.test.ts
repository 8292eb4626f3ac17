import { expect, it } from 'vitest';
import { readOptions } from '../../../lib/app/options.ts';
import { type ProgramOptions, readProgramOptions } from '../../../lib/app/program-options.ts';
import { close } from '../../../lib/fd/descriptor.ts';
import { bindTcp, listen } from '../../../lib/fd/socket.ts';

const settings = readOptions({ readyTimeout: 1_000, drainTimeout: 2_000, shutdownTimeout: 500 });

it('everything but the command has a default', () => {
  expect(readProgramOptions({ command: 'server' }, settings)).toMatchObject({
    command: 'server',
    args: [],
    env: process.env,
    convention: 'systemd',
    readiness: { by: 'word' },
    readyNumber: null,
    readyTimeout: 1_000,
    stopSignal: 'SIGTERM',
    stopTimeout: 2_000,
    orphanTimeout: 500,
  });
});

it('a time to stop that is given holds for a program whose parent is gone, too', () => {
  expect(readProgramOptions({ command: 'server', stopTimeout: 7_000 }, settings)).toMatchObject({
    stopTimeout: 7_000,
    orphanTimeout: 7_000,
  });
});

it('a program gets what clients come by, or what is named, in that order', () => {
  const fd = bindTcp('127.0.0.1', 0);
  listen(fd, 1);
  const all = [
    { name: 'web', fd },
    { name: 'log', fd: 2 },
  ];
  const names = (options: Partial<ProgramOptions>) =>
    readProgramOptions({ command: 'server', ...options }, settings)
      .choose(all)
      .map(({ name }) => name);
  expect(names({})).toEqual(['web']);
  expect(names({ names: ['log', 'web'] })).toEqual(['log', 'web']);
  expect(() => names({ names: ['wed'] })).toThrow('"names" has "wed", and this process holds "web", "log".');
  close(fd);
});

it.each([
  [{}, 'ERR_INVALID_ARG_TYPE'],
  [{ command: '' }, 'ERR_INVALID_ARG_TYPE'],
  [{ command: 'server', args: 'a' }, 'ERR_INVALID_ARG_TYPE'],
  [{ command: 'server', names: 'web' }, 'ERR_INVALID_ARG_TYPE'],
  [{ command: 'server', convention: 'inetd' }, 'ERR_OUT_OF_RANGE'],
  [{ command: 'server', readyFd: 2 }, 'ERR_OUT_OF_RANGE'],
  [{ command: 'server', stopSignal: 'TERM' }, 'ERR_OUT_OF_RANGE'],
  [{ command: 'server', stopTimeout: -1 }, 'ERR_OUT_OF_RANGE'],
  [{ command: 'server', readyWhen: 'soon' }, 'ERR_INVALID_ARG_VALUE'],
])('%o is refused', (options, code) => {
  expect(() => readProgramOptions(options as ProgramOptions, settings)).toThrow(expect.objectContaining({ code }));
});

it('who holds nothing is told so', () => {
  const { choose } = readProgramOptions({ command: 'server', names: ['web'] }, settings);
  expect(() => choose([])).toThrow('this process holds nothing');
});

it('environment and folder are the given ones', () => {
  const env = { ONLY: 'this' };
  expect(readProgramOptions({ command: 'server', args: ['-v'], env, cwd: '/' }, settings)).toMatchObject({
    args: ['-v'],
    env,
    cwd: '/',
  });
});
