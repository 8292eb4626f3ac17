import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HandoffError } from '../../../lib/fd/handoff-error.ts';
import { preflightVariable } from '../../../lib/process/start/environment.ts';
import type { Launch } from '../../../lib/process/start/launch.ts';
import { defaultPreflight, type Preflight, passPreflight } from '../../../lib/rehearsal/preflight.ts';
import { eventually } from '../../support/eventually.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { isAlive } from '../../support/processes.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;

beforeEach(() => {
  process.stderr.write('');
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
});
afterEach(async () => {
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

function shell(script: string): Launch {
  return { command: '/bin/sh', args: ['-c', script], env: { PATH: process.env.PATH, GIVEN: 'yes' }, cwd: folder.path };
}

function pass(preflight: Preflight, launch = shell('exit 9'), { timeout = 30_000, signal = never } = {}) {
  return passPreflight(preflight, { launch, introduction: () => 'introduction\n', timeout, signal });
}

describe('a rehearsal', () => {
  it('is the program with one more variable, the number of what it writes its newline to', async () => {
    await pass(
      true,
      shell(`[ "$GIVEN$${preflightVariable}" = yes3 ] && read line <&3 && echo "$line" > told; echo ready >&3`),
    );
    expect(readFileSync(folder.file('told'), 'utf8')).toBe('introduction\n');
  });

  it('that was ready has passed, whatever it does then, and is ended', async () => {
    await pass(true, shell('echo >&3; exit 5'));
    await pass(true, shell('echo $$ > pid; echo >&3; exec sleep 600'));
    const pid = Number(readFileSync(folder.file('pid'), 'utf8'));
    expect(isAlive(pid)).toBe(false);
  });

  it('that closes the pipe is waited for: its exit says more', async () => {
    await expect(pass(true, shell('exec 3>&-; echo "no such table" >&2; exit 4'))).rejects.toMatchObject({
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
      exitCode: 4,
      stderr: 'no such table',
      message: expect.stringMatching(
        /^The preflight \(process \d+\) exited with code 4 before it was ready.*no such table/s,
      ),
    });
  });

  it('that is called off is ended, with the reason and what it has said', async () => {
    const controller = new AbortController();
    const over = pass(true, shell('echo $$ > pid; exec sleep 600'), { signal: controller.signal });
    await eventually(() => existsSync(folder.file('pid')));
    controller.abort(new HandoffError('ERR_HANDOFF_ABORTED', 'This process is shutting down.'));
    await expect(over).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
      signal: 'SIGTERM',
      message: expect.stringMatching(/^This process is shutting down\. The preflight \(process \d+\) was ended/),
    });
  });

  it('has a deadline', async () => {
    await expect(pass(true, shell('exec sleep 600'), { timeout: 100 })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_TIMEOUT',
      message: expect.stringMatching(/^The preflight was not over within 100 ms/),
    });
  });

  it('that cannot be started', async () => {
    await expect(pass(true, { ...shell(''), command: '/no/such/program' })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_EXEC_FAILED',
      message: expect.stringMatching(/^The preflight could not be started.*\/no\/such\/program/),
    });
  });
});

describe('a command', () => {
  it('runs in the folder and the environment of what is launched', async () => {
    await pass(['/bin/sh', '-c', `echo "$GIVEN" > given; [ -z "$${preflightVariable}" ]`]);
    expect(readFileSync(folder.file('given'), 'utf8')).toBe('yes\n');
  });

  it('is found by its name', async () => {
    await pass(['true']);
    await expect(pass(['false'])).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED', exitCode: 1 });
  });

  it('that a signal ends has failed', async () => {
    await expect(pass(['/bin/sh', '-c', 'kill -KILL $$'])).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
      exitCode: null,
      signal: 'SIGKILL',
    });
  });
});

describe('a function', () => {
  it('decides at once or later', async () => {
    await pass(() => {});
    await pass(async () => {});
  });

  it('that throws or rejects calls the handoff off, with its error as the cause', async () => {
    const cause = new Error('wrong');
    for (const check of [
      () => Promise.reject(cause),
      (): void => {
        throw cause;
      },
    ]) {
      await expect(pass(check)).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED', cause });
    }
  });

  it('is told by its signal that nobody waits any more', async () => {
    let told: AbortSignal | undefined;
    const hangs = ({ signal }: { signal: AbortSignal }) => {
      told = signal;
      return new Promise<void>(() => {});
    };
    await expect(pass(hangs, undefined, { timeout: 20 })).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    expect(told?.aborted).toBe(true);
  });
});

describe('what reexec() asks by default', () => {
  it('of this program is a rehearsal, and of another nothing that might serve', () => {
    expect(defaultPreflight({ ...shell(''), command: process.execPath })).toBe(true);
    expect(defaultPreflight(shell(''))).toBe(false);
  });
});

it('none is no wait, and what was called off before is not started', async () => {
  await pass(false, undefined, { signal: AbortSignal.abort() });
  const late = pass(true, shell('touch started'), { signal: AbortSignal.abort() });
  await expect(late).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
  expect(existsSync(folder.file('started'))).toBe(false);
});
