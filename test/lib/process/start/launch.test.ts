import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { environmentOfStart } from '../../../../lib/process/start/initial-environment.ts';
import { isOwnProgram, launchOf, requireStartable, withChanges } from '../../../../lib/process/start/launch.ts';
import { startOfThisProcess } from '../../../../lib/process/start/start.ts';
import { libraryFile, outcome, startScript, typescriptOptions } from '../../../support/child-script.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

describe('what is launched', () => {
  it('is this program as it was started, except what is given', () => {
    const start = startOfThisProcess();
    expect(launchOf({})).toEqual({ ...start, env: environmentOfStart() });
    const given = { args: ['x.js'], env: { A: '1' }, cwd: '/srv' };
    expect(launchOf(given)).toEqual({ ...given, command: start.command });
    expect(isOwnProgram(launchOf(given))).toBe(true);
    expect(isOwnProgram({ command: process.execPath })).toBe(true);
  });

  it('is another program without the arguments of this one', () => {
    const launch = launchOf({ command: '/bin/true' });
    expect(launch).toMatchObject({ command: '/bin/true', args: [] });
    expect(isOwnProgram(launch)).toBe(false);
  });

  it('tells its folder by PWD, as a shell does, unless the environment says another one', () => {
    const launch = { command: 'x', args: [], cwd: '/a', env: { PWD: '/a', B: '1' } };
    expect(withChanges(launch, { cwd: '/b' }).env).toEqual({ PWD: '/b', B: '1' });
    expect(withChanges(launch, { cwd: '/b', env: { PWD: '/c' } }).env).toEqual({ PWD: '/c' });
    expect(withChanges(launch, { cwd: '/a' }).env).toBe(launch.env);
    expect(withChanges(launch, {})).toEqual(launch);
  });
});

describe('what cannot be launched', () => {
  it('is what stands in a folder that was removed', () => {
    expect(() => requireStartable(launchOf({}))).not.toThrow();
    expect(() => requireStartable(launchOf({ cwd: '/no/such/folder' }))).toThrow(
      expect.objectContaining({
        code: 'ERR_HANDOFF_EXEC_FAILED',
        message: expect.stringContaining('its working directory /no/such/folder is no folder any more'),
      }),
    );
  });

  it('says what it cannot know of a folder that was entered without PWD', async () => {
    using folder = new TemporaryFolder();
    const script = `
      import { launchOf, requireStartable } from ${libraryFile('process/start/launch.ts')};
      process.stdin.once('data', () => {
        try { requireStartable(launchOf({})); } catch ({ message }) { console.log(message); }
        process.exit();
      });
      console.error('up');
    `;
    const { PWD: _, ...env } = process.env;
    const child = startScript(script, { cwd: folder.path, env });
    const over = outcome(child);
    child.stderr?.once('data', () => {
      rmSync(folder.path, { recursive: true });
      child.stdin?.write('go\n');
    });
    expect((await over).stdout).toMatch(/no folder any more\. If it was entered through a link, nobody has said so/);
  });

  it('is what was read from standard input, unless other arguments are given', async () => {
    const script = `
      const { launchOf, requireStartable } = await import(${libraryFile('process/start/launch.ts')});
      for (const options of [{}, { args: ['server.js'] }]) {
        try { requireStartable(launchOf(options)); console.log('starts'); } catch ({ code, message }) { console.log(code, message); }
      }
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-']);
    child.stdin.end(`import '${typescriptOptions[1]}';${script}`);
    const { stdout, stderr } = await outcome(child);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ERR_HANDOFF_EXEC_FAILED .*standard input.*\nstarts\n$/);
  });
});
