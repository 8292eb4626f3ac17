import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, type TestContext, test } from 'vitest';
import { type Shell, shells } from '../../lib/cli/completion/completion-script.ts';
import { commandFile, runCommand } from '../support/command.ts';
import { needs } from '../support/needs.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

/**
 * A scene with a file to complete, and the command by its name in PATH: it answers the shell, and tells of everything else
 * that it is called with.
 */
class CompletionScene extends Scene {
  readonly env: NodeJS.ProcessEnv;

  constructor() {
    super();
    const programs = `${this.folder}/programs`;
    mkdirSync(programs);
    mkdirSync(`${this.folder}/place`);
    writeFileSync(`${this.folder}/place/control.sock`, '');
    writeFileSync(
      `${programs}/fd-handoff`,
      `#!/bin/sh
if [ "$1" = __complete ]; then exec '${process.execPath}' '${commandFile}' "$@"; fi
echo "{\\"event\\":\\"called\\",\\"pid\\":$$,\\"args\\":\\"$*\\"}"
`,
    );
    chmodSync(`${programs}/fd-handoff`, 0o755);
    this.env = { PATH: `${programs}:${process.env.PATH}`, HOME: this.folder, TERM: 'dumb' };
  }

  async scriptFor(shell: Shell): Promise<string> {
    const { stdout, code } = await runCommand(['completion', shell]);
    expect(code).toBe(0);
    const file = `${this.folder}/completion`;
    writeFileSync(file, stdout);
    return file;
  }

  /** What the command was called with once `typed` was typed on a terminal. */
  async typed(command: string, setUp: string, typed: string): Promise<unknown> {
    const args = ['-qfec', command, '/dev/null'];
    await using shell = new ShellOnTerminal('script', args, this.env, `${this.folder}/place`, { stdin: 'pipe' });
    // Typed ahead, keys would be echoed by the terminal instead of being read by the line editor.
    shell.child.stdin?.write(`${setUp}; echo "{\\"event\\":\\"set-up\\",\\"pid\\":$$}"\n`);
    await shell.event('set-up');
    shell.child.stdin?.write(`${typed}\n`);
    return (await shell.event('called')).args;
  }
}

class ShellOnTerminal extends Program implements AsyncDisposable {
  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

const tab = '\t';

async function completesOnTerminal(shell: Shell, command: string, context: TestContext): Promise<void> {
  needs(context, shell, '--version');
  needs(context, 'script', '--version');
  await using scene = new CompletionScene();
  const setUp = `. ${await scene.scriptFor(shell)}`;
  expect(await scene.typed(command, setUp, `fd-handoff comp${tab}ba${tab}`)).toBe('completion bash');
  expect(await scene.typed(command, setUp, `fd-handoff completion --deb${tab}fi${tab}`)).toBe(
    'completion --debug fish',
  );
}

test('a real bash completes sub-commands, options and values', (context) =>
  completesOnTerminal('bash', 'bash --norc --noprofile -i', context));

test('a real zsh completes sub-commands, options and values', (context) =>
  completesOnTerminal('zsh', 'zsh -f -i', context));

test('a real fish completes sub-commands, options and values', async (context) => {
  needs(context, 'fish', '--version');
  await using scene = new CompletionScene();
  const script = await scene.scriptFor('fish');
  const completed = (line: string) =>
    execFileSync('fish', ['--no-config', '-c', `source ${script}; complete -C '${line}'`], {
      cwd: `${scene.folder}/place`,
      env: scene.env,
      encoding: 'utf8',
    });
  expect(completed('fd-handoff comp')).toBe('completion\tprint what makes a shell complete this command\n');
  expect(completed('fd-handoff completion ').trim().split('\n').sort()).toEqual([...shells].sort());
});

test('zsh takes it as a file of its own, too', (context) => {
  needs(context, 'zsh', '--version');
  const script = execFileSync(process.execPath, [commandFile, 'completion', 'zsh'], { encoding: 'utf8' });
  expect(script).toMatch(/^#compdef fd-handoff\n/);
  execFileSync('zsh', ['-n'], { input: script });
});
