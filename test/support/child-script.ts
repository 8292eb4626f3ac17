import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Node's options that let a script of a test import the library as it is written. */
export const typescriptOptions = [
  '--import',
  pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href,
  '--input-type=module',
];

/** The address of a file of the library, for the import of a script. */
export function libraryFile(name: string): string {
  return JSON.stringify(fileURLToPath(new URL(`../../lib/${name}`, import.meta.url)));
}

/** What a script has said when it was over. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export function startScript(script: string, options: SpawnOptions = {}): ChildProcess {
  return spawn(process.execPath, [...typescriptOptions, '-e', script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...options,
  });
}

/** Reads a process to its end. */
export async function outcome(child: ChildProcess): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const [code, signal] = await once(child, 'close');
  return { stdout, stderr, code, signal };
}

/** Runs a script to its end. */
export function runScript(script: string, options?: SpawnOptions): Promise<Outcome> {
  return outcome(startScript(script, options));
}
