import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Outcome, outcome } from './child-script.ts';

/** The command as it is installed. */
export const commandFile = fileURLToPath(new URL('../../dist/cli/fd-handoff.js', import.meta.url));

/** Runs the command to its end, without a terminal. */
export function runCommand(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const env = { ...process.env, NO_COLOR: '', FORCE_COLOR: '', ...environment };
  return outcome(spawn(process.execPath, [commandFile, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }));
}
