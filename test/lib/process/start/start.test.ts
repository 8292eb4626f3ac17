import { spawn } from 'node:child_process';
import { mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { libraryFile, outcome, runScript, typescriptOptions } from '../../../support/child-script.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const tell = `
  import { startOfThisProcess } from ${libraryFile('process/start/start.ts')};
  process.chdir('/');
  console.log(JSON.stringify(startOfThisProcess()));
`;

/** Runs `script.mjs` as a shell in `cwd` would. */
async function start(cwd: string, args: string[], options: string[] = []) {
  const command = [...typescriptOptions.slice(0, 2), ...options, ...args];
  const child = spawn(process.execPath, command, { cwd, env: { ...process.env, PWD: cwd } });
  const { stdout, stderr } = await outcome(child);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as { command: string; args: string[]; cwd: string };
}

describe('the start of a process', () => {
  it('keeps options, script and arguments as they were written, and the folder of the start', async () => {
    writeFileSync(folder.file('script.mjs'), tell);
    const real = realpathSync(folder.path);
    const found = await start(real, ['script.mjs', '--port', '80'], ['--no-deprecation']);
    expect(found).toEqual({
      command: process.execPath,
      args: [...typescriptOptions.slice(0, 2), '--no-deprecation', 'script.mjs', '--port', '80'],
      cwd: real,
    });
  });

  it('follows the links that it was started through: `current` may point to another release by then', async () => {
    mkdirSync(folder.file('release-1'));
    writeFileSync(folder.file('release-1/script.mjs'), tell);
    const current = folder.file('current');
    symlinkSync('release-1', current);
    expect(await start(current, ['script.mjs'])).toMatchObject({
      args: expect.arrayContaining(['script.mjs']),
      cwd: current,
    });
    expect(await start('/', [join(current, 'script.mjs')])).toMatchObject({
      args: expect.arrayContaining([join(current, 'script.mjs')]),
    });
  });

  it('keeps the folder that the program has left before it loaded the library', async () => {
    writeFileSync(folder.file('script.mjs'), `process.chdir('/'); await import('./told.mjs');`);
    writeFileSync(folder.file('told.mjs'), tell);
    const real = realpathSync(folder.path);
    expect((await start(real, ['script.mjs'])).cwd).toBe(real);
    const { PWD: _, ...env } = process.env;
    const child = spawn(process.execPath, [...typescriptOptions.slice(0, 2), 'script.mjs'], { cwd: real, env });
    expect(JSON.parse((await outcome(child)).stdout).cwd).toBe(real);
  });

  it('has the script as it was written, and its arguments, for workers', async () => {
    writeFileSync(
      folder.file('script.mjs'),
      `import { scriptOfThisProcess, throughLinks } from ${libraryFile('process/start/start.ts')};
      console.log(JSON.stringify([scriptOfThisProcess(), throughLinks('x.js'), throughLinks('/y.js')]));`,
    );
    const current = folder.file('current');
    symlinkSync('.', current);
    const found: unknown = await start(current, ['./script.mjs', 'a']);
    expect(found).toEqual([{ script: './script.mjs', args: ['a'], cwd: current }, join(current, 'x.js'), '/y.js']);
  });

  it('does not believe a PWD that speaks of another folder', async () => {
    const real = realpathSync(folder.path);
    for (const PWD of ['/', '/nowhere', 'relative', undefined]) {
      const { stdout } = await runScript(tell, { cwd: real, env: { ...process.env, PWD } });
      expect(JSON.parse(stdout).cwd).toBe(real);
    }
  });

  it('without a script has none', async () => {
    const { stdout } = await runScript(tell, { cwd: folder.path });
    const { args } = JSON.parse(stdout) as { args: string[] };
    expect(args.slice(0, 2)).toEqual(typescriptOptions.slice(0, 2));
  });

  it('can be imported from a folder that was removed', async () => {
    const script = `
      import { mkdtempSync, rmSync } from 'node:fs';
      const { startOfThisProcess } = await import(${libraryFile('process/start/start.ts')});
      console.log(JSON.stringify(startOfThisProcess()));
    `;
    mkdirSync(folder.file('gone'));
    // The shell waits until the folder is gone; Node itself starts in it.
    const child = spawn(
      '/bin/sh',
      ['-c', 'read _; exec "$0" "$@"', process.execPath, ...typescriptOptions, '-e', script],
      {
        cwd: folder.file('gone'),
      },
    );
    const over = outcome(child);
    rmSync(folder.file('gone'), { recursive: true });
    child.stdin.end('\n');
    const { stdout } = await over;
    // Where the runtime itself refuses to start there, there is nothing for us to say.
    if (stdout !== '') expect(JSON.parse(stdout).cwd).toBe('/');
  });
});
