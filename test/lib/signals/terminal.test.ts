import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { libraryFile, outcome, startScript, typescriptOptions } from '../../support/child-script.ts';

const script = `
  import { hasTerminal } from ${libraryFile('signals/terminal.ts')};
  process.stdout.write(String(hasTerminal()));
`;

test('a process in a session of its own has no terminal', async () => {
  expect((await outcome(startScript(script, { detached: true }))).stdout).toBe('false');
});

test('one that runs in a terminal has it', async () => {
  const inTerminal = spawn('python3', [
    '-c',
    'import pty, sys; pty.spawn(sys.argv[1:])',
    process.execPath,
    ...typescriptOptions,
    '-e',
    script,
  ]);
  expect((await outcome(inTerminal)).stdout.trim()).toBe('true');
});
