import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describe, type SocketDescription } from '../../lib/fd/describe.ts';
import { close, closeAll } from '../../lib/fd/descriptor.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const isLinux = process.platform === 'linux';

/** For `skip`: the reason where a test needs Linux. */
export const unlessLinux = isLinux ? false : 'needs /proc or a feature of Linux';

const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));

/** For `skip`: the reason where a test needs IPv6. */
export const unlessIPv6 = hasIPv6 ? false : 'this machine has no IPv6';

function hasPython(): boolean {
  const { status } = spawnSync('python3', ['--version'], { stdio: 'ignore' });
  // A user's machine may lack it; in CI nothing may go untested.
  if (status !== 0 && process.env.CI !== undefined) throw new Error('python3 is needed for this test');
  return status === 0;
}

/** For `skip`: the reason where a test needs sockets that only another program can make (`withSockets`). */
export const unlessPython = unlessLinux || (hasPython() ? false : 'python3 is not installed');

/**
 * For `runModule`, as what is done before: Python makes sockets, with options that the library does not know, and Node
 * inherits them under the numbers that `python` gives them (`os.dup2`).
 */
export function withSockets(python: string): string {
  const source = `import os, sys; from socket import *; ${python}; os.execv(sys.argv[1], sys.argv[1:])`;
  return `exec python3 -c '${source}' "$0" "$@"`;
}

/** A short path, because a socket's must fit into 107 bytes; gone when the test ends. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'fdh-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Closes the descriptors when the test ends. */
export function closeLater<T extends number | readonly number[]>(t: TestContext, fds: T): T {
  t.after(() => {
    if (typeof fds === 'number') close(fds);
    else closeAll(fds);
  });
  return fds;
}

/** The description of what must be a socket. */
export function describeSocket(fd: number): SocketDescription {
  const description = describe(fd);
  if (description.kind !== 'socket') throw new Error(`fd ${fd} is a ${description.kind}`);
  return description;
}

export function portOf(fd: number): number {
  const { port } = describeSocket(fd);
  if (port === undefined) throw new Error(`fd ${fd} has no port`);
  return port;
}

export interface ChildResult {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface ChildOptions {
  /** Options of Node itself. */
  node?: string[];
  /** Shell commands to run before Node takes the shell's place. */
  before?: string;
  env?: Record<string, string>;
}

/** The arguments with which this Node runs a TypeScript module given as text; `fd` in it is all of lib/fd. */
export function moduleArguments(source: string, node: string[] = []): string[] {
  const modules = ['index', 'descriptor', 'lock', 'native'].map(
    (name) => `...(await import(${JSON.stringify(new URL(`../../lib/fd/${name}.ts`, import.meta.url).href)}))`,
  );
  const text = `const fd = { ${modules.join(', ')} };\n${source}`;
  return [...node, '--import', 'tsx', '--input-type=module', '--eval', text];
}

/**
 * Runs a module in a process of its own, to its end. Some count their descriptors or use up all there are: tsx must not
 * write its cache in the background meanwhile.
 */
export function runModule(source: string, options: ChildOptions = {}): ChildResult {
  const script = `${options.before ?? ':'}; exec "$0" "$@"`;
  const args = ['-c', script, process.execPath, ...moduleArguments(source, options.node)];
  const { status, signal, stdout, stderr } = spawnSync('/bin/sh', args, {
    cwd: root,
    encoding: 'utf8',
    env: {
      ...process.env,
      // Except where they are ours (`npm run coverage:lib`).
      ...(process.env.NODE_V8_COVERAGE === undefined ? { NODE_OPTIONS: undefined } : {}),
      TSX_DISABLE_CACHE: '1',
      ...options.env,
    },
    timeout: 60_000,
  });
  return { status, signal, stdout, stderr };
}

/** The last line that a module printed, as JSON; its error output if it failed. */
export function resultOf<T>(child: ChildResult): T {
  if (child.status !== 0) throw new Error(`child ended with ${child.status ?? child.signal}: ${child.stderr}`);
  return JSON.parse(child.stdout.trim().split('\n').at(-1) ?? '') as T;
}
