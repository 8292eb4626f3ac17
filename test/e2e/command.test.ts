import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CommandRun, commandFile, runCommand } from '../support/command.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

test('help and version go to standard output, mistakes to standard error with exit code 2', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await runCommand(['--version'])).toMatchObject({ stdout: `${version}\n`, stderr: '', code: 0 });
  expect(await runCommand(['help', 'completion'])).toMatchObject({
    stdout: expect.stringContaining('Exit codes:'),
    stderr: '',
    code: 0,
  });
  expect(await runCommand(['--verison'])).toMatchObject({
    stdout: '',
    stderr: "fd-handoff: unknown option '--verison'. Did you mean --version?\nTry: fd-handoff --help\n",
    code: 2,
  });
});

test('there are colours on a terminal and nowhere else, unless they are forced or unwanted', async () => {
  const colour = '\u001b[';
  expect((await runCommand(['--help'])).stdout).not.toContain(colour);
  expect((await runCommand(['--help'], { FORCE_COLOR: '1' })).stdout).toContain(colour);
  expect((await runCommand(['--nonsense'], { FORCE_COLOR: '1' })).stderr).toContain(colour);
  await using scene = new Scene();
  for (const [noColour, expected] of [
    ['', true],
    ['1', false],
  ] as const) {
    const run = scene.add(new CommandRun(['--help'], { terminal: true, env: { NO_COLOR: noColour } }));
    await run.exited;
    expect(run.stdout.includes(colour)).toBe(expected);
  }
});

test('a reader that leaves early is no failure', async () => {
  const program = new Program('sh', ['-c', `"$0" "$1" --help | head -n 1`, process.execPath, commandFile], {});
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(program.stderr).toBe('');
});
