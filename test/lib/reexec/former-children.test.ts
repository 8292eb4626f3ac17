import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { childrenByParent, childrenOfThisProcess, FormerChildren } from '../../../lib/reexec/former-children.ts';
import { libraryFile, outcome, typescriptOptions } from '../../support/child-script.ts';

describe('the children of this process', () => {
  it('are those that it has started, by either way of asking', async () => {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    await once(child, 'spawn');
    expect(childrenOfThisProcess()).toContain(child.pid);
    expect(childrenByParent()).toContain(child.pid);
    expect(childrenByParent()).not.toContain(process.pid);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(childrenOfThisProcess()).not.toContain(child.pid);
  });
});

describe('children of before', () => {
  it('are waited for one by one as they end, and nobody listens when none is left', async () => {
    const script = `
      import { FormerChildren, childrenOfThisProcess } from ${libraryFile('reexec/former-children.ts')};
      // The loader of this script may have children of its own.
      const pids = process.env.PIDS.split(' ').map(Number);
      const present = () => childrenOfThisProcess().filter((pid) => pids.includes(pid)).length;
      const children = FormerChildren.waitFor(pids);
      const told = [pids.length, process.listenerCount('SIGCHLD')];
      const until = async (count) => { while (children.pids.length > count) await new Promise(setImmediate); };
      process.kill(pids[0], 'SIGKILL');
      await until(1);
      told.push(present());
      process.kill(pids[1], 'SIGKILL');
      await until(0);
      told.push(present(), process.listenerCount('SIGCHLD'));
      console.log(JSON.stringify(told));
    `;
    const shell = 'sleep 600 & PIDS=$!; sleep 600 & export PIDS="$PIDS $!"; exec "$0" "$@"';
    const child = spawn('/bin/sh', ['-c', shell, process.execPath, ...typescriptOptions, '-e', script]);
    expect(JSON.parse((await outcome(child)).stdout)).toEqual([2, 1, 1, 0, 0]);
  });

  it('that are none of this process are forgotten', () => {
    expect(FormerChildren.waitFor([process.ppid]).pids).toEqual([]);
    expect(FormerChildren.waitFor([]).pids).toEqual([]);
    expect(process.listenerCount('SIGCHLD')).toBe(0);
  });
});
