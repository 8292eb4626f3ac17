import type { Program } from './program.ts';

/** The port of the first listener of a server that was started fresh. */
export async function portOf(program: Program): Promise<number> {
  const [first] = (await program.ready(0)).addresses as { port: number }[];
  return (first as { port: number }).port;
}
