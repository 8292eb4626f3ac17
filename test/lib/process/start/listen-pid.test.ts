import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { withListenPid } from '../../../../lib/process/start/listen-pid.ts';

it('a program has its own process id in LISTEN_PID, and its arguments as they were', () => {
  const script = 'echo "$LISTEN_PID $$ $*"';
  const launch = { command: 'sh', args: ['-c', script, 'sh', 'a b', '$c'], env: process.env, cwd: '/' };
  const { command, args } = withListenPid(launch);
  const [listenPid, pid, ...rest] = execFileSync(command, args, { encoding: 'utf8' }).trim().split(' ');
  expect(listenPid).toBe(pid);
  expect(rest.join(' ')).toBe('a b $c');
});

it('one that is not there is told before anything is started', () => {
  const launch = { command: 'no-such-program-anywhere', args: [], env: process.env, cwd: '/' };
  expect(() => withListenPid(launch)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});
