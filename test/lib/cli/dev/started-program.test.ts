import { expect, it } from 'vitest';
import { StartedProgram } from '../../../../lib/cli/dev/started-program.ts';
import { eventually } from '../../../support/eventually.ts';
import { isAlive, processesWith } from '../../../support/processes.ts';

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<StartedProgram> {
  return StartedProgram.start({ command, args, env: { ...process.env, ...env }, stopTimeout: 30_000 });
}

it('is told signals by itself, and killed with everything that it has started', async () => {
  const mark = `MARK_OF_A_TEST=${process.pid}-${Math.random()}`;
  const [name = '', value] = mark.split('=');
  const program = await start('sh', ['-c', 'trap "" TERM; sleep 600 & sleep 600'], { [name]: value });
  await eventually(() => processesWith(mark).length === 3);
  program.signal('SIGTERM');
  expect(isAlive(program.pid)).toBe(true);
  program.kill();
  expect(await program.exited).toMatchObject({ signal: 'SIGKILL' });
  await eventually(() => processesWith(mark).length === 0);
  // Nobody is left.
  program.kill();
});

it('tells how it has ended', async () => {
  const program = await start(process.execPath, ['-e', 'process.exitCode = 3']);
  expect(await program.exited).toEqual({ code: 3, signal: null });
});

it.each([
  ['no-such-program', 'notFound'],
  ['/', 'notExecutable'],
])('%s cannot be started', async (command, exit) => {
  await expect(start(command, [])).rejects.toMatchObject({
    code: 'ERR_HANDOFF_EXEC_FAILED',
    exit,
    message: expect.stringContaining(`${command} cannot be started`),
  });
});
