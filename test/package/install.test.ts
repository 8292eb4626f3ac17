import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { needs } from '../support/needs.ts';
import { pack, root } from '../support/packed.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

const folder = new TemporaryFolder();
// A temporary folder may be behind a symbolic link, and the loader tells where it really is.
const installed = join(realpathSync(folder.path), 'node_modules', 'fd-handoff');

/** Passes descriptors, and tells which addon did it or why none does. */
const program = `
  import { pipe, receiveMessage, sendMessage, socketPair } from 'fd-handoff/fd';
  try {
    const [a, b] = socketPair();
    sendMessage(a, Buffer.from('x'), pipe());
    const { fds } = receiveMessage(b, 1, 2);
    const addon = process.report.getReport().sharedObjects.filter((name) => name.endsWith('.node'));
    console.log(JSON.stringify({ passed: fds.length, addon }));
  } catch ({ code, message }) {
    console.log(JSON.stringify({ code, message }));
  }
`;

/** Where nothing can be found that compiles. */
function runProgram(): Record<string, unknown> {
  const output = execFileSync(process.execPath, [folder.file('program.mjs')], {
    cwd: folder.path,
    encoding: 'utf8',
    env: { PATH: folder.path },
  });
  return JSON.parse(output) as Record<string, unknown>;
}

/** npm without the registry. */
function npm(...parameters: string[]): void {
  execFileSync('npm', [...parameters, '--offline'], { cwd: folder.path, stdio: 'pipe' });
}

beforeAll(() => {
  writeFileSync(folder.file('package.json'), '{ "private": true }');
  writeFileSync(folder.file('program.mjs'), program);
  const { filename } = pack(folder.path);
  npm('install', '--ignore-scripts', folder.file(filename), join(root, 'node_modules', 'node-gyp-build'));
  return () => folder[Symbol.dispose]();
});

test('what `npm install --ignore-scripts` installs works without a compiler', () => {
  const { passed, addon } = runProgram();
  expect(passed).toBe(2);
  expect(addon).toEqual([expect.stringContaining(join(installed, 'prebuilds', `${process.platform}-${process.arch}`))]);
});

test('require() works, too', () => {
  const output = execFileSync(process.execPath, ['-p', "typeof require('fd-handoff').handoff"], {
    cwd: folder.path,
    encoding: 'utf8',
  });
  expect(output.trim()).toBe('function');
});

test('the command is installed by its name, needs no other package, and tells whose parts are in it', () => {
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [join(folder.path, 'node_modules', '.bin', 'fd-handoff'), ...args], {
      cwd: folder.path,
      encoding: 'utf8',
    });
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string };
  expect(run('--version').trim()).toBe(version);
  expect(run('--help')).toContain('Usage: fd-handoff');
  expect(readFileSync(join(installed, 'dist', 'cli', 'LICENCES.txt'), 'utf8')).toMatch(/^commander .*\(MIT\)$/m);
});

test('without an addon the error names the commands that build one, and what they build is preferred', {
  // It compiles, which a busy machine takes minutes for.
  timeout: 600_000,
}, (context) => {
  needs(context, 'c++', '--version');
  rmSync(join(installed, 'prebuilds'), { recursive: true });
  const { code, message } = runProgram() as { code: string; message: string };
  expect(code).toBe('ERR_HANDOFF_UNSUPPORTED_PLATFORM');
  expect(message).toContain(`${process.platform}, ${process.arch}, `);

  const commands = /build one: (npm install .*) && (npm explore .*)$/.exec(message);
  expect(commands?.[1]).toMatch(/ node-addon-api@8$/);
  // From this machine's copy instead of the registry.
  npm('install', '--no-save', join(root, 'node_modules', 'node-addon-api'));
  execFileSync('/bin/sh', ['-c', commands?.[2] ?? 'false'], { cwd: folder.path, stdio: 'pipe' });
  expect(runProgram()).toEqual({ passed: 2, addon: [join(installed, 'build', 'Release', 'fd_handoff.node')] });
});
