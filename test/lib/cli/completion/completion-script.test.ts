import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { completionScripts, shells } from '../../../../lib/cli/completion/completion-script.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

it.each(shells)('%s asks the command that is being typed, and knows the three things that it can add', (shell) => {
  const script = completionScripts[shell];
  expect(script).toContain('__complete');
  for (const besides of [':files', ':commands']) expect(script).toContain(besides);
});

/** What bash completes where the command answers with these lines. */
function completedByBash(answer: string[], words: string[]): string[] {
  using folder = new TemporaryFolder();
  const command = folder.file('fd-handoff');
  // What it was asked goes to a file, so that the answer is the same whatever that is.
  const told = folder.file('told');
  writeFileSync(command, `#!/bin/sh\nprintf '%s\\n' "$@" > '${told}'\ncat <<'END'\n${answer.join('\n')}\nEND\n`);
  chmodSync(command, 0o755);
  const script = `
    ${completionScripts.bash}
    COMP_WORDS=(${[command, ...words].map((word) => `'${word}'`).join(' ')})
    COMP_CWORD=${words.length}
    _fd_handoff
    printf '%s\\n' "\${COMPREPLY[@]}"
    cat '${told}'
  `;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', env: process.env }).trimEnd().split('\n');
}

it('bash offers the words without what they are for, and passes on what was typed so far', () => {
  const answer = ['status\twhat it does', 'upgrade\treplace it', ':nothing'];
  expect(completedByBash(answer, ['--debug', 'st'])).toEqual(['status', 'upgrade', '__complete', '--debug', 'st']);
});

it('bash offers commands where the command says that one can stand there', () => {
  expect(completedByBash([':commands'], ['listen', '--', 'realpat'])).toContain('realpath');
});
