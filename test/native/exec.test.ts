import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exec } from '../../lib/fd/exec.ts';
import { resultOf, runModule, temporaryFolder, unlessLinux } from './support.ts';

test('a failed exec throws and leaves the process as it was', (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'program');
  writeFileSync(file, 'neither a script nor a binary');
  assert.throws(() => exec(join(folder, 'none'), ['none'], {}), {
    name: 'Error',
    code: 'ENOENT',
    syscall: 'execve',
    path: join(folder, 'none'),
  });
  chmodSync(file, 0o600);
  assert.throws(() => exec(file, ['program'], {}), { code: 'EACCES' });
  chmodSync(file, 0o700);
  assert.throws(() => exec(file, ['program'], {}), { code: 'ENOEXEC' });
  assert.throws(() => exec(folder, ['folder'], {}), { code: 'EACCES' });
  assert.throws(() => exec('/bin/true', ['true', 'x'.repeat(8 << 20)], {}), { code: 'E2BIG' });
  // No search in PATH.
  assert.throws(() => exec('true', ['true'], { PATH: '/bin' }), { code: 'ENOENT' });
});

test('a failed exec restores the signals', { skip: unlessLinux }, () => {
  const child = runModule(`
    const { readFileSync } = await import('node:fs');
    const signals = () => readFileSync('/proc/self/status', 'utf8').match(/^Sig(Blk|Ign|Cgt):.*$/gm).join();
    const before = signals();
    let code;
    try { fd.exec('/none', ['none'], {}); } catch (error) { code = error.code; }
    console.log(JSON.stringify([code, signals() === before]));
  `);
  assert.deepEqual(resultOf(child), ['ENOENT', true]);
});

test('exec replaces the program and keeps the pid; arguments and environment are exactly the given ones', () => {
  const child = runModule(`
    const { writeSync } = await import('node:fs');
    fd.setCloseOnExec(1, false);
    writeSync(1, process.pid + '\\n');
    process.on('exit', () => writeSync(1, 'exit handler ran\\n'));
    fd.exec('/bin/sh', ['named', '-c', 'echo $$; echo "$0 $1 $ONLY[$HOME]"', 'zero', 'ä b'], { ONLY: 'x=y', HOME: undefined });
  `);
  assert.equal(child.status, 0, child.stderr);
  const [pid, samePid, rest] = child.stdout.trim().split('\n');
  assert.match(pid ?? '', /^\d+$/);
  assert.equal(samePid, pid);
  assert.equal(rest, 'zero ä b x=y[]');
  assert.equal(child.stdout.trim().split('\n').length, 3);
});

test('the new program gets SIGPIPE with its default, no blocked signals, and no descriptor', {
  skip: unlessLinux,
}, () => {
  const child = runModule(`
    for (const stream of [0, 1, 2]) fd.setCloseOnExec(stream, false);
    fd.pipe(); fd.socketPair();
    fd.exec('/bin/sh', ['sh', '-c', 'cat /proc/self/status | grep ^Sig; exec ls /proc/self/fd | tr "\\n" " "'], { PATH: process.env.PATH });
  `);
  assert.equal(child.status, 0, child.stderr);
  const mask = (name: string) => BigInt(`0x${new RegExp(`^Sig${name}:\\s*(\\w+)$`, 'm').exec(child.stdout)?.[1]}`);
  const SIGPIPE = 1n << 12n;
  assert.equal(mask('Ign') & SIGPIPE, 0n);
  assert.equal(mask('Cgt') & SIGPIPE, 0n);
  assert.equal(mask('Blk'), 0n);
  const numbers = (text: string | undefined) => text?.trim().split(/\s+/) ?? [];
  // What a program gets that this process spawns: the environment may have left something open for all to inherit.
  const usual = numbers(spawnSync('/bin/ls', ['/proc/self/fd'], { encoding: 'utf8' }).stdout);
  assert.deepEqual(numbers(child.stdout.trim().split('\n').at(-1)), usual);
});

test('a variable that is undefined is none, and is not refused', () => {
  assert.throws(() => exec('/no/such/program', ['x'], { ABSENT: undefined }), { code: 'ENOENT' });
});
