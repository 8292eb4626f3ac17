import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseEnvironment } from '../../../../lib/process/start/initial-environment.ts';
import { libraryFile, outcome, runScript, typescriptOptions } from '../../../support/child-script.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

describe('what the kernel has of an environment', () => {
  it('is each variable once, as getenv(3) finds it', () => {
    expect(parseEnvironment('A=1\0B=x=y\0EMPTY=\0A=2\0=::\0nothing\0')).toEqual({ A: '1', B: 'x=y', EMPTY: '' });
    expect(parseEnvironment('__proto__=x\0')).toEqual(Object.fromEntries([['__proto__', 'x']]));
    expect(parseEnvironment('')).toEqual({});
  });
});

describe('the environment of a start', () => {
  const tell = `
    import { environmentOfStart, variableOfStart } from ${libraryFile('process/start/initial-environment.ts')};
    import { takeVariable } from ${libraryFile('process/start/environment.ts')};
    process.env.ADDED = 'by the program';
    process.env.CHANGED = 'by the program';
    delete process.env.SECRET;
    takeVariable(process.env, 'TAKEN');
    takeVariable({ KEPT: '' }, 'KEPT');
    console.log(JSON.stringify({ env: environmentOfStart(), pid: variableOfStart('LISTEN_PID') ?? null }));
  `;

  it('is without what the program has made of it, and without what was for this process alone', async () => {
    const forOne = {
      NODE_CHANNEL_FD: '',
      NODE_UNIQUE_ID: '7',
      LISTEN_PID: '1',
      WATCHDOG_PID: '1',
      FD_HANDOFF_READY_FD: '9',
    };
    const env = { PATH: process.env.PATH, CHANGED: 'start', SECRET: 'start', TAKEN: 'x', KEPT: 'x', ...forOne };
    const { stdout } = await runScript(tell, { env });
    const told = JSON.parse(stdout);
    expect(told.env).toEqual({ PATH: process.env.PATH, CHANGED: 'start', SECRET: 'start', KEPT: 'x' });
    expect(told.pid).toBe('1');
  });

  it('has nothing of a file that Node itself has read', async () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file('.env'), 'FROM_FILE=1\nCHANGED=file\n');
    const args = [
      `--env-file=${folder.file('.env')}`,
      ...typescriptOptions,
      '-e',
      `${tell} console.log(process.env.FROM_FILE)`,
    ];
    const child = spawn(process.execPath, args, { env: { PATH: process.env.PATH } });
    const [told = '', read] = (await outcome(child)).stdout.split('\n');
    expect(JSON.parse(told).env).toEqual({ PATH: process.env.PATH });
    expect(read).toBe('1');
  });
});
