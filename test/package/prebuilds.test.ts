import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { needs } from '../support/needs.ts';
import { root, runCi } from '../support/packed.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

const prebuilds = join(root, 'prebuilds');

test.each([
  ['linux', 'x64', 'glibc', 'linux-x64/fd-handoff.glibc.node'],
  ['linux', 'x64', 'musl', 'linux-x64/fd-handoff.musl.node'],
  ['linux', 'arm64', 'glibc', 'linux-arm64/fd-handoff.glibc.node'],
  ['linux', 'arm64', 'musl', 'linux-arm64/fd-handoff.musl.node'],
  ['darwin', 'x64', '', 'darwin-x64/fd-handoff.node'],
  ['darwin', 'arm64', '', 'darwin-arm64/fd-handoff.node'],
])('on %s %s %s node-gyp-build takes the addon for it', (platform, arch, libc, file) => {
  const chosen = execFileSync(process.execPath, ['-p', `require('node-gyp-build').resolve(${JSON.stringify(root)})`], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PREBUILDS_ONLY: '1', npm_config_platform: platform, npm_config_arch: arch, LIBC: libc },
  });
  expect(chosen.trim()).toBe(join(prebuilds, file));
});

test('each addon is for its system, small, stripped, and needs nothing but the C library', (context) => {
  needs(context, 'llvm-readelf', '--version');
  const { status, stdout } = runCi('prebuild.mjs', '--inspect');
  expect(stdout).not.toMatch(/WRONG|MISSING/);
  expect(status).toBe(0);
});

/** A byte in the middle of the file, which no header describes. */
function changeOneByte(path: string): void {
  const bytes = readFileSync(path);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** How an addon can be wrong, and what is said of it then. */
const damages: [what: string, file: string, damage: (path: string) => void, said: RegExp][] = [
  [
    'for another machine',
    'linux-arm64/fd-handoff.glibc.node',
    (path) => cpSync(join(prebuilds, 'linux-x64/fd-handoff.glibc.node'), path),
    /not for AArch64/,
  ],
  [
    'for another C library',
    'linux-x64/fd-handoff.musl.node',
    (path) => cpSync(join(prebuilds, 'linux-x64/fd-handoff.glibc.node'), path),
    /needs libpthread/,
  ],
  ['changed after it was signed', 'darwin-arm64/fd-handoff.node', changeOneByte, /page \d+ is not what was signed/],
  [
    'with a path of the machine in it',
    'darwin-x64/fd-handoff.node',
    (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from(root)])),
    /has a path of the machine/,
  ],
  [
    'too large',
    'linux-x64/fd-handoff.glibc.node',
    (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(200_000)])),
    /are too many/,
  ],
];

test.for(damages)('an addon %s is found', ([, file, damage, said], context) => {
  needs(context, 'llvm-readelf', '--version');
  using folder = new TemporaryFolder();
  cpSync(prebuilds, folder.file('prebuilds'), { recursive: true });
  damage(folder.file(`prebuilds/${file}`));
  const { status, stdout } = runCi('prebuild.mjs', '--inspect', '--folder', folder.file('prebuilds'));
  expect(stdout).toMatch(said);
  expect(status).toBe(1);
});

test('SHA256SUMS is theirs', () => {
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: prebuilds });
});
