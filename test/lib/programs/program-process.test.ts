import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ProgramPlan, ProgramProcess } from '../../../lib/programs/program-process.ts';
import { eventually } from '../../support/eventually.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { isAlive } from '../../support/processes.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let started: ProgramProcess[];
beforeEach(() => {
  process.stderr.write('');
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  started = [];
});
afterEach(async () => {
  for (const program of started) program.kill();
  await Promise.all(started.map(({ exited }) => exited));
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

async function start(script: string, changes: Partial<ProgramPlan> = {}): Promise<ProgramProcess> {
  const program = await ProgramProcess.start(
    {
      command: '/bin/sh',
      args: ['-c', script],
      env: { ...process.env, MARK: folder.path },
      cwd: folder.path,
      convention: 'systemd',
      readiness: { by: 'word' },
      readyNumber: null,
      readyTimeout: 30_000,
      stopSignal: 'SIGTERM',
      stopTimeout: 30_000,
      orphanTimeout: 30_000,
      listeners: [],
      stderr: 2,
      ...changes,
    },
    never,
  );
  started.push(program);
  return program;
}

const ready = 'echo >&$FD_HANDOFF_READY_FD;';

describe('a program', () => {
  it('is ready at its newline, on the descriptor that it is told or on one of its own', async () => {
    const first = await start(`${ready} exec sleep 600`);
    const second = await start('echo >&9; exec sleep 600', { readyNumber: 9 });
    expect([first, second].map(({ pid }) => isAlive(pid))).toEqual([true, true]);
  });

  it('is ready when its time is over and it still runs', async () => {
    await start('exec sleep 600', { readiness: { by: 'time', milliseconds: 20 } });
    const gone = start('exit 5', { readiness: { by: 'time', milliseconds: 10_000 } });
    await expect(gone).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 5 });
  });

  it('has not failed where it closes descriptors that it does not know', async () => {
    const silent = start('eval "exec $FD_HANDOFF_READY_FD>&-"; exec sleep 600', { readyTimeout: 500 });
    await expect(silent).rejects.toMatchObject({
      code: 'ERR_HANDOFF_TIMEOUT',
      message: expect.stringContaining('neither READY=1'),
    });
  });

  it('does not outlive its own end with anything that it has started', async () => {
    const program = await start(`sleep 600 & echo $! > child; ${ready} exec sleep 600`);
    const { readFileSync } = await import('node:fs');
    const child = Number(readFileSync(folder.file('child'), 'utf8'));
    expect(isAlive(child)).toBe(true);
    program.signal('SIGTERM');
    expect(await program.exited).toEqual({ code: null, signal: 'SIGTERM' });
    await eventually(() => !isAlive(child));
  });

  it('that is not there is told, and nothing is left', async () => {
    const missing = start('', { command: 'no-such-program-anywhere' });
    await expect(missing).rejects.toMatchObject({ code: 'ERR_HANDOFF_EXEC_FAILED' });
    await expect(start('', { readyNumber: 2 })).rejects.toBeInstanceOf(RangeError);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});
