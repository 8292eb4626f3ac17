import { readFileSync } from 'node:fs';
import Module from 'node:module';
import { dirname, join } from 'node:path';
import { HandoffError } from './handoff-error.ts';
import { ownFile } from './own-file.ts';

/**
 * The addon as it is: every call returns its value, or an errno as a negative number, and never throws.
 *
 * It trusts its arguments; the other files of this folder check them and make the errors.
 */
export interface NativeAddon {
  dup(fd: number, minimum: number): number;
  duplicateTo(fd: number, target: number): number;
  getCloseOnExec(fd: number): number;
  setCloseOnExec(fd: number, on: boolean): number;
  getNonBlocking(fd: number): number;
  setNonBlocking(fd: number, on: boolean): number;
  close(fd: number): number;
  /** The first error, after all have been tried. */
  closeAll(fds: Int32Array, count: number): number;
  pipe(): [read: number, write: number] | number;
  socketPair(): [number, number] | number;
  bindTcp(address: string, port: number, ipv6Only: boolean, reuseAddress: boolean, reusePort: boolean): number;
  bindUdp(address: string, port: number, ipv6Only: boolean, reuseAddress: boolean, reusePort: boolean): number;
  /** `mode` -1: what the umask leaves. */
  bindUnix(path: string, datagram: boolean, mode: number): number;
  connectUnix(path: string): number;
  listen(fd: number, backlog: number): number;
  accept(fd: number): number;
  sendMessage(fd: number, data: Uint8Array, fds: Int32Array, count: number): number;
  /** Fills `data` and `received`: its first element is the count (or why there are none), the descriptors follow. */
  receiveMessage(fd: number, data: Uint8Array, length: number, received: Int32Array, maximum: number): number;
  sendDatagram(path: string, data: Uint8Array, fds: Int32Array, count: number): number;
  peerCredentials(fd: number): { pid: number; uid: number; gid: number } | number;
  /** Bit 0: SO_REUSEADDR; bit 1: SO_REUSEPORT. */
  getReuse(fd: number): number;
  setReuse(fd: number, address: boolean, port: boolean): number;
  describe(fd: number): NativeDescription | number;
  lock(fd: number): number;
  unlock(fd: number): number;
  /** -ENOSYS where the system has no such files. */
  memoryFile(name: string): number;
  /** The number if it had ended, 0 while it runs. */
  reap(pid: number): number;
  /** `env`: `NAME=value` each. */
  exec(file: string, args: readonly string[], env: readonly string[]): number;
}

interface NativeAddress {
  address?: string;
  port?: number;
  path?: string;
}

export interface NativeDescription extends NativeAddress {
  fd: number;
  kind: 'socket' | 'pipe' | 'file' | 'directory' | 'character-device' | 'block-device' | 'other';
  closeOnExec: boolean;
  nonBlocking: boolean;
  family?: 'ipv4' | 'ipv6' | 'unix';
  type?: 'stream' | 'datagram' | 'seqpacket';
  listening?: boolean;
  ipv6Only?: boolean;
  peer?: NativeAddress;
}

/**
 * Whether descriptors can be passed on this platform at all: Linux and macOS.
 *
 * It only looks at `process.platform`; whether the addon loads shows with the first call that needs it.
 */
export function isSupported(): boolean {
  return process.platform === 'linux' || process.platform === 'darwin';
}

/** The C library of this process, as a part of a list; nothing where there is only one. */
function libc(): string {
  if (process.platform !== 'linux') return '';
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  const version = report?.header?.glibcVersionRuntime;
  return version === undefined ? ', musl' : `, glibc ${version}`;
}

/** What helps where no addon loads: an installed package has the sources, and npm has node-gyp. */
const remedy =
  'Prebuilt ones are for Linux (glibc 2.17 or later, or musl) and macOS, x64 and arm64; a musl system that is not Alpine ' +
  'wants LIBC=musl in the environment. With python3, make and a C++ compiler, build one: ' +
  'npm install --no-save node-addon-api@8 && npm explore fd-handoff -- npm run build:native';

/** What helps where the library has become a part of another file, and its addon has stayed behind. */
const bundleRemedy =
  'The library is in a bundle, which an addon cannot be in: tell the bundler that fd-handoff is external and install it beside ' +
  'the bundle, or copy node_modules/fd-handoff/prebuilds to the folder of the bundle';

let loaded: NativeAddon | undefined;

/** The addon, loaded on first use, so that a program can import the library where it is not supported. */
export function native(): NativeAddon {
  loaded ??= load();
  return loaded;
}

function load(): NativeAddon {
  if (!isSupported()) {
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      `descriptors cannot be passed between processes on ${process.platform}: fd-handoff works on Linux and macOS. ` +
        'isSupported() tells beforehand',
    );
  }
  const file = ownFile();
  // lib/fd and dist/fd are equally far below the package's root.
  const root = join(dirname(file), '..', '..');
  const bundled = !isPackage(root);
  const looked = bundled ? join(dirname(file), 'prebuilds') : root;
  try {
    // Not as an import by its own name: webpack would try to do at once what such a `require` is to do later.
    const require = Module.createRequire(file);
    if (bundled) return require(join(looked, prebuiltName())) as NativeAddon;
    const nodeGypBuild = require('node-gyp-build') as (directory: string) => NativeAddon;
    return nodeGypBuild(root);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      `no addon of fd-handoff loads here (${process.platform}, ${process.arch}${libc()}, Node ${process.version}; ` +
        `looked in ${looked}): ${reason}. ${bundled ? bundleRemedy : remedy}`,
      { cause },
    );
  }
}

/** Whether `folder` is this package's root: a bundle is somewhere else. */
function isPackage(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
    return name === 'fd-handoff';
  } catch {
    return false;
  }
}

/** The addon for this process below prebuilds/: node-gyp-build, which knows it otherwise, is no part of a bundle. */
function prebuiltName(): string {
  const flavour = process.platform !== 'linux' ? '' : libc() === ', musl' ? '.musl' : '.glibc';
  return join(`${process.platform}-${process.arch}`, `fd-handoff${flavour}.node`);
}
