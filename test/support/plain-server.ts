import { fileURLToPath } from 'node:url';
import type { Program } from './program.ts';

/** The command line of a server that knows nothing of the library. */
export const plainServer: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('../e2e/programs/plain-server.js', import.meta.url)),
];

/** The process id of that server, once it serves. */
export async function servingPid(program: Program): Promise<number> {
  return (await program.event('serving')).pid;
}
