import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OrphanGuard } from '../../../lib/programs/orphan-guard.ts';
import { libraryFile, startScript } from '../../support/child-script.ts';
import { eventually } from '../../support/eventually.ts';
import { isAlive } from '../../support/processes.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let started: ChildProcess[];
beforeEach(() => {
  folder = new TemporaryFolder();
  started = [];
});
afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
  folder[Symbol.dispose]();
});

/** A program in a group of its own, with a child; it writes down what tells it to stop. */
async function ward(onSignal: string): Promise<{ pid: number; child: number }> {
  const files = { child: folder.file('child'), stopped: folder.file('stopped') };
  const script = `sleep 600 & echo $! > ${files.child}; trap '${onSignal}' TERM USR1; while :; do wait; done`;
  const program = spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore' });
  started.push(program);
  await eventually(() => existsSync(files.child) && readFileSync(files.child, 'utf8').endsWith('\n'));
  return { pid: program.pid as number, child: Number(readFileSync(files.child, 'utf8')) };
}

/** A process that guards, and is killed. */
async function killGuardian(pid: number, stopSignal: string, timeout: number): Promise<void> {
  const guardian = startScript(`
    import { OrphanGuard } from ${libraryFile('programs/orphan-guard.ts')};
    new OrphanGuard({ pid: ${pid}, stopSignal: '${stopSignal}', timeout: ${timeout} });
    console.log('guarding');
    setInterval(() => {}, 1000);`);
  started.push(guardian);
  await once(guardian.stdout as NodeJS.ReadableStream, 'data');
  guardian.kill('SIGKILL');
}

describe('the guard of a program', () => {
  it('tells it to stop when the process that runs it is killed, and ends what it leaves', async () => {
    const { pid, child } = await ward(`echo told > ${folder.file('stopped')}; exit`);
    await killGuardian(pid, 'SIGUSR1', 10_000);
    await eventually(() => !isAlive(pid) && !isAlive(child));
    expect(readFileSync(folder.file('stopped'), 'utf8')).toBe('told\n');
  });

  it('kills one that does not stop in time', async () => {
    const { pid, child } = await ward(':');
    await killGuardian(pid, 'SIGTERM', 1_000);
    await eventually(() => !isAlive(pid) && !isAlive(child));
  });

  it('does nothing where the program has ended', async () => {
    const { pid } = await ward(`echo told > ${folder.file('stopped')}; exit`);
    const guard = new OrphanGuard({ pid, stopSignal: 'SIGTERM', timeout: 1_000 });
    guard[Symbol.dispose]();
    await eventually(() => isAlive(pid));
    expect(existsSync(folder.file('stopped'))).toBe(false);
    process.kill(-pid, 'SIGKILL');
  });
});
