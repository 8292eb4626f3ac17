import { type StdioOptions, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Child, type Group, notStarted } from '../../../../lib/process/start/child.ts';
import { eventually } from '../../../support/eventually.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { isAlive } from '../../../support/processes.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let children: Child[];

beforeEach(() => {
  // Made on first use, and kept: not a leak of what is tested.
  process.stderr.write('');
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  children = [];
});
afterEach(async () => {
  for (const child of children) await child.terminate({ hangs: true });
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

async function shell(script: string, group?: Group): Promise<Child> {
  const detached = group === 'own';
  const options = { cwd: folder.path, detached, stdio: ['ignore', 'inherit', 'pipe'] as StdioOptions };
  const child = await Child.of(spawn('/bin/sh', ['-c', script], options), group);
  children.push(child);
  return child;
}

/** The process id that a script has written. */
async function written(name: string): Promise<number> {
  const file = folder.file(name);
  await eventually(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'));
  return Number(readFileSync(file, 'utf8'));
}

describe('in a group of its own', () => {
  it('what it has started ends with it', async () => {
    const child = await shell('sleep 600 & echo $! > grandchild; exit 3', 'own');
    expect(await child.exited).toEqual({ code: 3, signal: null });
    const grandchild = await written('grandchild');
    await eventually(() => !isAlive(grandchild));
  });

  it('what it has started is told to end, too', async () => {
    const child = await shell('sleep 600 & echo $! > grandchild; wait', 'own');
    const grandchild = await written('grandchild');
    expect(await child.terminate({ hangs: true })).toEqual({ code: null, signal: 'SIGTERM' });
    await eventually(() => !isAlive(grandchild));
  });

  it('a signal to the group of its parent does not reach it', async () => {
    const child = await shell('exec sleep 600', 'own');
    expect(readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(' ').slice(4, 6)).toEqual([
      String(child.pid),
      String(child.pid),
    ]);
  });
});

it('beside its parent it leaves what it has started alone', async () => {
  const child = await shell('sleep 600 > /dev/null 2>&1 & echo $! > grandchild; exit 0');
  await child.exited;
  const grandchild = await written('grandchild');
  expect(isAlive(grandchild)).toBe(true);
  process.kill(grandchild, 'SIGKILL');
});

it('says what could not be started, and where', () => {
  const part = { name: 'preflight', others: 'this process serves on' };
  const error = notStarted(part, new Error('spawn ENOENT'), { command: 'x', cwd: '/srv' });
  expect(error).toMatchObject({
    code: 'ERR_HANDOFF_EXEC_FAILED',
    message:
      'The preflight could not be started: spawn ENOENT (program x, working directory /srv). This process serves on.',
  });
});
