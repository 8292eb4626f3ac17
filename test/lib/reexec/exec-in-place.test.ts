import { expect, test } from 'vitest';
import { imageOf } from '../../../lib/reexec/exec-in-place.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

const launch = (command: string, PATH = '/usr/bin:/bin') => ({ command, args: ['a'], env: { PATH }, cwd: '/' });

test('the next image is found as a start would find it, and keeps the name that was used', () => {
  expect(imageOf(launch('sh'))).toEqual({ ...launch('sh'), file: expect.stringMatching(/\/sh$/) });
  expect(imageOf(launch('./bin/sh'))).toMatchObject({ command: './bin/sh', file: '/bin/sh' });
});

test('what cannot be the next image is told before anything is stopped', () => {
  using folder = new TemporaryFolder();
  for (const command of ['no-such-program', './no/such/program', folder.path]) {
    expect(() => imageOf(launch(command))).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_EXEC_FAILED', message: expect.stringContaining(command) }),
    );
  }
});
