import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { controlGroupOf } from '../../../lib/systemd/control-group.ts';

it.skipIf(process.platform !== 'linux')('a child is in the control group of its parent', async () => {
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  await once(child, 'spawn');
  expect(controlGroupOf('self')).toMatch(/^\//);
  expect(controlGroupOf(child.pid as number)).toBe(controlGroupOf('self'));
  child.stdin.end();
  await once(child, 'exit');
});

it('a process that is not there is in none', () => {
  expect(controlGroupOf(2 ** 30)).toBeNull();
});
