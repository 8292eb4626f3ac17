/** The parts of a benchmark that are written in C, compiled when it runs. */
import { execFileSync } from 'node:child_process';
import { basename, join } from 'node:path';

/** Compiles `source` into `folder`; returns the program's path. */
export function compileC(source: string, folder: string): string {
  const program = join(folder, basename(source, '.c'));
  execFileSync('cc', ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-o', program, source], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return program;
}
