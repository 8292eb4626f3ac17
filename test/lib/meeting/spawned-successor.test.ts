import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HandoffError } from '../../../lib/fd/handoff-error.ts';
import { SpawnedSuccessor, type SpawnOptions } from '../../../lib/meeting/spawned-successor.ts';
import { readHello } from '../../../lib/transaction/hello.ts';
import { makeOffer } from '../../../lib/transaction/predecessor.ts';
import { libraryFile, typescriptOptions } from '../../support/child-script.ts';
import { eventually } from '../../support/eventually.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let spawned: SpawnedSuccessor[];

beforeEach(() => {
  // Made on first use, and kept: not a leak of what is tested.
  process.stderr.write('');
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  spawned = [];
});
afterEach(async () => {
  vi.useRealTimers();
  for (const successor of spawned) {
    await successor.terminate({ hangs: true });
    successor.channel[Symbol.dispose]();
  }
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

async function spawn(command: string, args: string[], options: Partial<SpawnOptions> = {}, signal = never) {
  const whole: SpawnOptions = {
    command,
    args,
    cwd: folder.path,
    env: process.env,
    stderr: 'capture',
    program: null,
    ...options,
  };
  const successor = await SpawnedSuccessor.spawn(whole, signal);
  spawned.push(successor);
  return successor;
}

function shell(script: string, options?: Partial<SpawnOptions>) {
  return spawn('/bin/sh', ['-c', script], options);
}

describe('a successor that takes over', () => {
  it('has the channel, and nothing else of this process', async () => {
    const script = `
      import { readdirSync, readlinkSync } from 'node:fs';
      import { findPredecessor } from ${libraryFile('meeting/predecessor-search.ts')};
      const open = readdirSync('/proc/self/fd').map(Number).filter((fd) => {
        try { return fd > 2 && /^(socket|pipe|\\/tmp)/.test(readlinkSync('/proc/self/fd/' + fd)); } catch { return false; }
      });
      const found = await findPredecessor({ control: null, intent: 'takeover', timeout: 30_000 });
      const decision = await found.takeover.announceReady(AbortSignal.timeout(30_000));
      if (decision !== 'committed' || process.env.FD_HANDOFF_CHANNEL !== undefined) process.exit(9);
      // 3 and 4 are the channel, 5 is the real standard error.
      process.exit(open.filter((fd) => fd <= 5).length === 3 ? 0 : 8);
    `;
    const successor = await spawn(process.execPath, [...typescriptOptions, '-e', script]);
    const { channel, pid } = successor;
    const hello = readHello(await channel.control.expect(['HELLO'], never));
    expect(hello.pid).toBe(pid);
    expect(channel.readToken()).toBe(hello.token);
    const offer = { generation: 0, descriptors: [], states: [], saveStates: async () => [], readyTimeout: 30_000 };
    await makeOffer({ channel, hello }, { mode: 'replace', ...offer }, never, () => {});
    channel.control.send('COMMITTED', {});
    expect(await successor.exited).toEqual({ code: 0, signal: null });
  });
});

describe('a successor that fails', () => {
  it('tells its exit code and the end of its standard error', async () => {
    const successor = await shell('echo "cannot read the configuration" >&2; exit 7');
    await expect(successor.channel.control.expect(['HELLO'], never)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
    });
    const exit = await successor.exited;
    expect(exit).toEqual({ code: 7, signal: null });
    expect(successor.failure(exit, null)).toMatchObject({
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
      pid: successor.pid,
      exitCode: 7,
      signal: null,
      stderr: 'cannot read the configuration',
      message: expect.stringMatching(/exited with code 7.*serves on.*cannot read the configuration/s),
    });
  });

  it('keeps 4 KiB of its standard error: the end', async () => {
    const successor = await shell(`printf '%05000d the end\\n' 0 >&2; exit 1`);
    const { stderr } = successor.failure(await successor.exited, null);
    expect(stderr.length).toBeLessThanOrEqual(4096);
    expect(stderr.endsWith('0 the end')).toBe(true);
  });

  it('by a signal names it', async () => {
    const successor = await shell('kill -KILL $$');
    const exit = await successor.exited;
    expect(successor.failure(exit, null)).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
  });

  it('is heard of although a grandchild holds its standard error open', async () => {
    const successor = await shell(`sleep 600 & echo $! > ${folder.file('grandchild')}; exit 1`);
    expect(await successor.exited).toEqual({ code: 1, signal: null });
    process.kill(Number(readFileSync(folder.file('grandchild'), 'utf8')), 'SIGKILL');
  });

  it('with another reason keeps the code of that', async () => {
    const successor = await shell('echo busy >&2; exec sleep 600');
    await eventually(() => successor.failure({ code: 0, signal: null }, null).stderr === 'busy');
    const exit = await successor.terminate({ hangs: true });
    const error = successor.annotate(new HandoffError('ERR_HANDOFF_TIMEOUT', 'It was not ready.'), exit);
    expect(error).toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT', signal: 'SIGTERM', stderr: 'busy' });
  });

  it('does not write to a captured standard error where it inherits ours', async () => {
    const successor = await shell('exit 3', { stderr: 'inherit' });
    expect(successor.failure(await successor.exited, null).stderr).toBe('');
  });
});

describe('ending a successor', () => {
  it('that is stopped: it does not act on SIGTERM, and is killed', async () => {
    const successor = await shell('kill -STOP $$');
    await eventually(() => readFileSync(`/proc/${successor.pid}/stat`, 'latin1').includes(') T '));
    expect(await successor.terminate({ hangs: true })).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('that ignores SIGTERM', async () => {
    const successor = await shell(`trap "" TERM; echo > ${folder.file('up')}; while :; do sleep 1; done`);
    await eventually(() => existsSync(folder.file('up')));
    expect(await successor.terminate({ hangs: true })).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('that is gone already', async () => {
    const successor = await shell('exit 5');
    await successor.exited;
    expect(await successor.terminate({ hangs: false })).toEqual({ code: 5, signal: null });
  });

  it('that is just leaving lets it say why', async () => {
    // The clock stands still just before SIGTERM would come, however long the shell takes.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const successor = await shell('echo "the reason" >&2; exit 6');
    const ended = successor.terminate({ hangs: false });
    vi.advanceTimersByTime(499);
    const exit = await ended;
    expect(successor.failure(exit, null)).toMatchObject({ exitCode: 6, stderr: 'the reason' });
  });
});

describe('what cannot be started', () => {
  it.each([
    ['a missing program', { command: '/no/such/program' }],
    ['a folder for a program', { command: '/tmp' }],
    ['a missing folder', { cwd: '/no/such/folder' }],
  ])('%s names program and folder, and leaves nothing', async (_, options) => {
    await expect(spawn('/bin/true', [], options)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_EXEC_FAILED',
      message: expect.stringMatching(/program .*, working directory .*serves on/),
    });
  });

  it('twenty failures leave nothing open', async () => {
    for (let round = 0; round < 20; round++) {
      await expect(spawn('/no/such/program', [])).rejects.toMatchObject({ code: 'ERR_HANDOFF_EXEC_FAILED' });
    }
  });

  it('what was called off before is not left running', async () => {
    const abort = AbortSignal.abort();
    await expect(spawn('/bin/sleep', ['600'], {}, abort)).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
  });
});
