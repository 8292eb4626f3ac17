import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unlessLinux } from '../support.ts';

const source = fileURLToPath(new URL('preload.c', import.meta.url));

/** What this machine's C compiler makes programs for, such as `x86_64-linux-gnu`. */
function compilerTarget(): string | undefined {
  const { error, status, stdout } = spawnSync('cc', ['-dumpmachine'], { encoding: 'utf8' });
  return error === undefined && status === 0 ? stdout.trim() : undefined;
}

function reason(): string | false {
  if (unlessLinux) return unlessLinux;
  if ('bun' in process.versions || 'deno' in process.versions) return 'needs Node';
  const target = compilerTarget();
  if (target === undefined) {
    // A user's machine may lack one; in CI nothing may go untested.
    if (process.env.CI !== undefined) throw new Error('a C compiler (cc) is needed for this test');
    return 'there is no C compiler (cc) on this machine';
  }
  // Under an emulator, or where Node brings a C library of its own.
  const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const isMusl = header.glibcVersionRuntime === undefined;
  if (target.startsWith(architecture) && target.includes('musl') === isMusl) return false;
  return `cc compiles for ${target}, and this Node is for ${process.arch}${isMusl ? ' and musl' : ''}`;
}

/** For `skip`: why no call of the addon can be made to fail here. */
export const unlessPreloads = reason();

/** Compiles preload.c into a folder; returns the variables with which a process of Node loads it. */
export function preload(folder: string): Record<string, string> {
  const library = join(folder, 'preload.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-o', library, source, '-ldl'], {
    // The compiler itself must not run with the run-time library of sanitizers, which finds leaks in it.
    env: { ...process.env, LD_PRELOAD: '' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const { LD_PRELOAD: others = '', ASAN_OPTIONS: asan } = process.env;
  return {
    // The first, before AddressSanitizer's, whose own versions of these calls it passes them on to.
    LD_PRELOAD: [library, ...(others === '' ? [] : [others])].join(':'),
    ...(asan === undefined ? {} : { ASAN_OPTIONS: `${asan}:verify_asan_link_order=0` }),
    FAIL_CALL: '',
    SEEN_CALLS: '',
  };
}
