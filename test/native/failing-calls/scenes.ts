// What every function of the addon asks of the system, call by call, and what comes out when one of these calls fails.
import { openSync } from 'node:fs';
import { release } from 'node:os';
import { reap } from '../../../lib/fd/child.ts';
import { describe, type SocketDescription } from '../../../lib/fd/describe.ts';
import {
  close,
  closeAll,
  dup,
  duplicateTo,
  getCloseOnExec,
  getNonBlocking,
  pipe,
  setCloseOnExec,
  setNonBlocking,
} from '../../../lib/fd/descriptor.ts';
import { exec } from '../../../lib/fd/exec.ts';
import { tryLock, unlock } from '../../../lib/fd/lock.ts';
import { memoryFile } from '../../../lib/fd/memory-file.ts';
import { receiveMessage, sendDatagram, sendMessage } from '../../../lib/fd/message.ts';
import type { NativeAddon } from '../../../lib/fd/native.ts';
import { peerCredentials } from '../../../lib/fd/peer-credentials.ts';
import { getReuse, setReuse } from '../../../lib/fd/reuse.ts';
import { accept, bindTcp, bindUdp, bindUnix, connectUnix, listen, socketPair } from '../../../lib/fd/socket.ts';
import { unlessIPv6 } from '../support.ts';

/** The calls that preload.c can make fail, each with an error that it may have. */
export const ordinaryError = {
  accept: 'EMFILE',
  accept4: 'EMFILE',
  bind: 'EADDRNOTAVAIL',
  chmod: 'EPERM',
  close: 'EIO',
  connect: 'ECONNREFUSED',
  dup2: 'EBUSY',
  dup3: 'EBUSY',
  execve: 'ENOMEM',
  fchmod: 'EPERM',
  fcntl: 'EMFILE',
  flock: 'ENOLCK',
  fstat: 'EIO',
  getpeername: 'ENOBUFS',
  getsockname: 'ENOBUFS',
  getsockopt: 'ENOPROTOOPT',
  if_indextoname: 'ENXIO',
  if_nametoindex: 'ENODEV',
  inet_ntop: 'ENOSPC',
  listen: 'EADDRINUSE',
  lstat: 'EACCES',
  memfd_create: 'EMFILE',
  pipe: 'ENFILE',
  pipe2: 'ENFILE',
  poll: 'ENOMEM',
  recvmsg: 'ENOMEM',
  sendmsg: 'ENOBUFS',
  setsockopt: 'ENOPROTOOPT',
  socket: 'EMFILE',
  socketpair: 'ENFILE',
  waitpid: 'EINVAL',
} as const;

export type CallName = keyof typeof ordinaryError;

/** What a function gave, or the error that it threw. */
export type Outcome = { returns: unknown } | { code: string; syscall?: string };

/** The error is the call's own (with the function's name for it), or nothing is noticed of it, or it is an outcome. */
export type Consequence = 'error' | 'nothing' | Outcome;

/** One call, in its turn, and what becomes of the errors that it can have. */
export interface Step {
  call: CallName;
  /** Its ordinary error. */
  failed: Consequence;
  /** EINTR. */
  interrupted: Consequence;
  /** Errors that mean something of their own. */
  also?: Readonly<Record<string, Consequence>>;
}

/** As on Linux, or as on macOS (`npm run test:fallback`). */
export type Variant = 'atomic' | 'fallback';

export interface Scene {
  title: string;
  calls: keyof NativeAddon;
  /** What the library's errors call it. */
  syscall: string;
  steps: (variant: Variant) => Step[];
  skip?: string | false;
  /** What there has to be first; returns the call. All that is kept is closed when the scene is over. */
  prepare: (stage: Stage) => () => unknown;
}

/** What one attempt opens. */
export class Stage {
  readonly #kept: number[] = [];
  readonly #place: string;
  #paths = 0;

  /** @param place What the paths of this stage begin with. */
  constructor(place: string) {
    this.#place = place;
  }

  keep<T extends number | readonly number[]>(fds: T): T {
    this.#kept.push(...([fds].flat() as number[]));
    return fds;
  }

  /** A path at which nothing is. */
  path(): string {
    return `${this.#place}-${this.#paths++}`;
  }

  /** @throws {Error} EBADF, if the addon has closed what was only lent to it. */
  leave(): void {
    closeAll(this.#kept);
  }
}

/** One way in which a scene can go wrong. */
export interface Failure {
  call: CallName;
  /** The first, the second … of its name. */
  turn: number;
  code: string;
  consequence: Consequence;
}

/** Every error that is tried of every call. */
export function failuresOf(steps: readonly Step[]): Failure[] {
  return steps.flatMap(({ call, failed, interrupted, also }, index) => {
    const turn = steps.slice(0, index + 1).filter((step) => step.call === call).length;
    const consequences = { [ordinaryError[call]]: failed, EINTR: interrupted, ...also };
    return Object.entries(consequences).map(([code, consequence]) => ({ call, turn, code, consequence }));
  });
}

const reported = (call: CallName): Step => ({ call, failed: 'error', interrupted: 'error' });
const retried = (call: CallName, also: Step['also'] = {}): Step => ({
  call,
  failed: 'error',
  interrupted: 'nothing',
  also,
});
const replaced = (call: CallName, consequence: Consequence): Step => ({
  call,
  failed: consequence,
  interrupted: consequence,
});

const returns = (value: unknown): Outcome => ({ returns: value });
const times = (count: number, step: Step): Step[] => new Array(count).fill(step);

/** What the fallback does with a descriptor that was made without the flags: it reads them and sets them. */
const flags = (variant: Variant, count: number): Step[] =>
  variant === 'atomic' ? [] : times(2 * count, reported('fcntl'));
/** Both close-on-exec and non-blocking. */
const socketFlags = (variant: Variant): Step[] => flags(variant, 2);

const listener = (stage: Stage): [number, string] => {
  const path = stage.path();
  const fd = stage.keep(bindUnix(path));
  listen(fd);
  return [fd, path];
};

/** What is left of a description when it must not depend on the machine. */
const told = (fd: number): Partial<SocketDescription> => {
  const { fd: _fd, port: _port, ...rest } = describe(fd) as SocketDescription;
  return rest;
};

const socketBasics = { kind: 'socket', closeOnExec: true, nonBlocking: true };
const describing: Step[] = [reported('fcntl'), reported('fcntl'), reported('fstat')];

const ipv4 = { ...socketBasics, type: 'stream', listening: true, family: 'ipv4', address: '127.0.0.1' };
const ipv6 = { ...socketBasics, type: 'stream', listening: false, family: 'ipv6', address: '::', ipv6Only: true };
const unix = { ...socketBasics, type: 'stream', listening: false, family: 'unix', peer: {} };
const zoned = { ...ipv6, type: 'datagram', address: 'ff02::1%lo' };
const without = (description: object, name: string) =>
  returns(Object.fromEntries(Object.entries(description).filter(([key]) => key !== name)));

/** They are played with a umask of 0o077. */
export const scenes: Scene[] = [
  {
    title: 'dup',
    calls: 'dup',
    syscall: 'fcntl',
    steps: () => [reported('fcntl')],
    prepare: (stage) => {
      const [read] = stage.keep(pipe());
      return () => stage.keep(dup(read)) > 2;
    },
  },
  {
    title: 'duplicateTo',
    calls: 'duplicateTo',
    syscall: 'dup2',
    steps: (variant) => [retried(variant === 'atomic' ? 'dup3' : 'dup2'), ...flags(variant, 1)],
    prepare: (stage) => {
      const [read, write] = stage.keep(pipe());
      return () => duplicateTo(read, write);
    },
  },
  {
    title: 'duplicateTo of a descriptor to itself',
    calls: 'duplicateTo',
    syscall: 'dup2',
    steps: () => times(2, reported('fcntl')),
    prepare: (stage) => {
      const [read] = stage.keep(pipe());
      setCloseOnExec(read, false);
      return () => duplicateTo(read, read);
    },
  },
  {
    title: 'getCloseOnExec',
    calls: 'getCloseOnExec',
    syscall: 'fcntl',
    steps: () => [reported('fcntl')],
    prepare: (stage) => {
      const [read] = stage.keep(pipe());
      return () => getCloseOnExec(read);
    },
  },
  {
    title: 'setCloseOnExec',
    calls: 'setCloseOnExec',
    syscall: 'fcntl',
    steps: () => times(2, reported('fcntl')),
    prepare: (stage) => {
      const [read] = stage.keep(pipe());
      return () => setCloseOnExec(read, false);
    },
  },
  {
    title: 'getNonBlocking',
    calls: 'getNonBlocking',
    syscall: 'fcntl',
    steps: () => [reported('fcntl')],
    prepare: (stage) => {
      const [read] = stage.keep(pipe());
      return () => getNonBlocking(read);
    },
  },
  {
    title: 'setNonBlocking',
    calls: 'setNonBlocking',
    syscall: 'fcntl',
    steps: () => times(2, reported('fcntl')),
    prepare: (stage) => {
      const [read] = stage.keep(pipe());
      return () => setNonBlocking(read, true);
    },
  },
  {
    title: 'setNonBlocking that changes nothing',
    calls: 'setNonBlocking',
    syscall: 'fcntl',
    steps: () => [reported('fcntl')],
    prepare: (stage) => {
      const [read] = stage.keep(pipe());
      return () => setNonBlocking(read, false);
    },
  },
  {
    title: 'close: the descriptor is gone in any case',
    calls: 'close',
    syscall: 'close',
    steps: () => [retried('close')],
    prepare: (stage) => {
      const [read, write] = pipe();
      stage.keep(write);
      return () => close(read);
    },
  },
  {
    title: 'closeAll: the other descriptors are closed, too',
    calls: 'closeAll',
    syscall: 'close',
    steps: () => times(2, retried('close')),
    prepare: () => {
      const both = pipe();
      return () => closeAll(both);
    },
  },
  {
    title: 'pipe',
    calls: 'pipe',
    syscall: 'pipe',
    steps: (variant) => [reported(variant === 'atomic' ? 'pipe2' : 'pipe'), ...flags(variant, 2)],
    prepare: (stage) => () => stage.keep(pipe()).length,
  },
  {
    title: 'socketPair',
    calls: 'socketPair',
    syscall: 'socketpair',
    steps: (variant) => [reported('socketpair'), ...socketFlags(variant), ...socketFlags(variant)],
    prepare: (stage) => () => stage.keep(socketPair()).length,
  },
  {
    title: 'bindTcp',
    calls: 'bindTcp',
    syscall: 'bind',
    steps: (variant) => [reported('socket'), ...socketFlags(variant), reported('setsockopt'), reported('bind')],
    prepare: (stage) => () => stage.keep(bindTcp('127.0.0.1', 0)) > 2,
  },
  {
    title: 'bindTcp to IPv6, with every option',
    calls: 'bindTcp',
    syscall: 'bind',
    skip: unlessIPv6,
    steps: (variant) => [
      reported('socket'),
      ...socketFlags(variant),
      ...times(3, reported('setsockopt')),
      reported('bind'),
    ],
    prepare: (stage) => () => stage.keep(bindTcp('::1', 0, { ipv6Only: true, reusePort: true })) > 2,
  },
  {
    title: 'bindUdp',
    calls: 'bindUdp',
    syscall: 'bind',
    steps: (variant) => [reported('socket'), ...socketFlags(variant), reported('bind')],
    prepare: (stage) => () => stage.keep(bindUdp('127.0.0.1', 0)) > 2,
  },
  {
    title: 'bindUdp to an IPv6 zone, which is looked up',
    calls: 'bindUdp',
    syscall: 'bind',
    skip: unlessIPv6,
    steps: (variant) => [
      replaced('if_nametoindex', { code: 'ENODEV', syscall: 'bind' }),
      reported('socket'),
      ...socketFlags(variant),
      reported('setsockopt'),
      reported('bind'),
    ],
    prepare: (stage) => () => stage.keep(bindUdp('ff02::1%lo', 0)) > 2,
  },
  {
    title: 'bindUnix',
    calls: 'bindUnix',
    syscall: 'bind',
    steps: (variant) => [reported('socket'), ...socketFlags(variant), reported('bind')],
    prepare: (stage) => {
      const path = stage.path();
      return () => stage.keep(bindUnix(path)) > 2;
    },
  },
  {
    title: 'bindUnix with a mode beyond the umask',
    calls: 'bindUnix',
    syscall: 'bind',
    steps: (variant) => [
      reported('socket'),
      ...socketFlags(variant),
      ...(variant === 'atomic' ? [reported('fchmod')] : []),
      reported('bind'),
      reported('lstat'),
      reported('chmod'),
    ],
    prepare: (stage) => {
      const path = stage.path();
      return () => stage.keep(bindUnix(path, { mode: 0o777 })) > 2;
    },
  },
  {
    title: 'connectUnix',
    calls: 'connectUnix',
    syscall: 'connect',
    steps: (variant) => [reported('socket'), ...socketFlags(variant), retried('connect')],
    prepare: (stage) => {
      const [, path] = listener(stage);
      return () => stage.keep(connectUnix(path)) > 2;
    },
  },
  {
    title: 'listen',
    calls: 'listen',
    syscall: 'listen',
    steps: () => [reported('listen')],
    prepare: (stage) => {
      const fd = stage.keep(bindUnix(stage.path()));
      return () => listen(fd);
    },
  },
  ...[true, false].map(
    (nonBlocking): Scene => ({
      title: `accept on a ${nonBlocking ? 'non-blocking' : 'blocking'} listener`,
      calls: 'accept',
      syscall: 'accept',
      steps: (variant) => [
        retried('fcntl'),
        ...(nonBlocking ? [] : [retried('poll')]),
        retried(variant === 'atomic' ? 'accept4' : 'accept', { ECONNABORTED: 'nothing', EAGAIN: returns(null) }),
        ...socketFlags(variant),
      ],
      prepare: (stage) => {
        const [fd, path] = listener(stage);
        stage.keep(connectUnix(path));
        setNonBlocking(fd, nonBlocking);
        return () => {
          const connection = accept(fd);
          return connection === null ? null : stage.keep(connection) > 2;
        };
      },
    }),
  ),
  {
    title: 'sendMessage',
    calls: 'sendMessage',
    syscall: 'sendmsg',
    steps: () => [retried('sendmsg', { EAGAIN: 'error', ETOOMANYREFS: 'error' })],
    prepare: (stage) => {
      const [one] = stage.keep(socketPair());
      return () => sendMessage(one, Buffer.from('F'), [one, one]);
    },
  },
  {
    title: 'receiveMessage',
    calls: 'receiveMessage',
    syscall: 'recvmsg',
    steps: (variant) => [
      retried('recvmsg', { EAGAIN: returns(null) }),
      ...(variant === 'atomic' ? [] : times(4, replaced('fcntl', { code: 'ERR_HANDOFF_TRUNCATED' }))),
    ],
    prepare: (stage) => {
      const [one, other] = stage.keep(socketPair());
      sendMessage(one, Buffer.from('F'), [one, one]);
      return () => {
        const message = receiveMessage(other, 1, 2);
        return message === null ? null : stage.keep(message.fds).length;
      };
    },
  },
  {
    title: 'sendDatagram',
    calls: 'sendDatagram',
    syscall: 'sendmsg',
    steps: (variant) => [
      reported('socket'),
      ...socketFlags(variant),
      retried('sendmsg', { EAGAIN: 'error' }),
      replaced('close', 'nothing'),
    ],
    prepare: (stage) => {
      const path = stage.path();
      stage.keep(bindUnix(path, { type: 'datagram' }));
      return () => sendDatagram(path, Buffer.from('F'));
    },
  },
  {
    title: 'peerCredentials',
    calls: 'peerCredentials',
    syscall: 'getsockopt',
    steps: () => [reported('getsockopt')],
    prepare: (stage) => {
      const [one] = stage.keep(socketPair());
      return () => peerCredentials(one).pid === process.pid;
    },
  },
  {
    title: 'getReuse',
    calls: 'getReuse',
    syscall: 'getsockopt',
    steps: () => times(2, reported('getsockopt')),
    prepare: (stage) => {
      const fd = stage.keep(bindUdp('127.0.0.1', 0));
      return () => getReuse(fd);
    },
  },
  {
    title: 'setReuse',
    calls: 'setReuse',
    syscall: 'setsockopt',
    steps: () => times(2, reported('setsockopt')),
    prepare: (stage) => {
      const fd = stage.keep(bindUdp('127.0.0.1', 0));
      return () => setReuse(fd, { address: true, port: true });
    },
  },
  {
    title: 'describe of a pipe',
    calls: 'describe',
    syscall: 'fstat',
    steps: () => describing,
    prepare: (stage) => {
      const [read] = stage.keep(pipe());
      return () => describe(read).kind;
    },
  },
  {
    title: 'describe of a listener: what is of no importance may stay unknown',
    calls: 'describe',
    syscall: 'fstat',
    steps: () => [
      ...describing,
      reported('getsockopt'),
      replaced('getsockopt', returns({ ...ipv4, listening: false })),
      reported('getsockname'),
      replaced('inet_ntop', returns({ ...ipv4, address: '' })),
      replaced('getpeername', 'nothing'),
    ],
    prepare: (stage) => {
      const fd = stage.keep(bindTcp('127.0.0.1', 0));
      listen(fd);
      return () => told(fd);
    },
  },
  {
    title: 'describe of an IPv6 socket',
    calls: 'describe',
    syscall: 'fstat',
    skip: unlessIPv6,
    steps: () => [
      ...describing,
      reported('getsockopt'),
      replaced('getsockopt', 'nothing'),
      reported('getsockname'),
      replaced('inet_ntop', returns({ ...ipv6, address: '' })),
      replaced('getsockopt', returns({ ...ipv6, ipv6Only: false })),
      replaced('getpeername', 'nothing'),
    ],
    prepare: (stage) => {
      const fd = stage.keep(bindTcp('::', 0, { ipv6Only: true }));
      return () => told(fd);
    },
  },
  {
    title: 'describe of a socket in an IPv6 zone, which stays a number when its interface has gone',
    calls: 'describe',
    syscall: 'fstat',
    skip: unlessIPv6,
    steps: () => [
      ...describing,
      reported('getsockopt'),
      replaced('getsockopt', 'nothing'),
      reported('getsockname'),
      replaced('inet_ntop', returns({ ...zoned, address: '%lo' })),
      replaced('if_indextoname', returns({ ...zoned, address: 'ff02::1%1' })),
      replaced('getsockopt', returns({ ...zoned, ipv6Only: false })),
      replaced('getpeername', 'nothing'),
    ],
    prepare: (stage) => {
      const fd = stage.keep(bindUdp('ff02::1%lo', 0, { ipv6Only: true }));
      return () => told(fd);
    },
  },
  {
    title: 'describe of a connected socket',
    calls: 'describe',
    syscall: 'fstat',
    steps: () => [
      ...describing,
      reported('getsockopt'),
      replaced('getsockopt', 'nothing'),
      reported('getsockname'),
      replaced('getpeername', without(unix, 'peer')),
    ],
    prepare: (stage) => {
      const [one] = stage.keep(socketPair());
      return () => told(one);
    },
  },
  {
    title: 'lock',
    calls: 'lock',
    syscall: 'flock',
    steps: () => [retried('flock', { EAGAIN: returns(false) })],
    prepare: (stage) => {
      const file = stage.keep(openSync(stage.path(), 'w'));
      return () => tryLock(file);
    },
  },
  {
    title: 'unlock',
    calls: 'unlock',
    syscall: 'flock',
    steps: () => [retried('flock')],
    prepare: (stage) => {
      const file = stage.keep(openSync(stage.path(), 'w'));
      return () => unlock(file);
    },
  },
  {
    title: 'memoryFile',
    calls: 'memoryFile',
    syscall: 'memfd_create',
    steps: (variant) => {
      if (variant === 'fallback') return [];
      // A kernel that does not know every flag is asked once more.
      const [major = 0, minor = 0] = release().split('.').map(Number);
      const once = { ...reported('memfd_create'), also: { EINVAL: 'nothing', ENOSYS: returns(null) } } as const;
      return major > 6 || (major === 6 && minor >= 3) ? [once] : [replaced('memfd_create', 'error'), once];
    },
    prepare: (stage) => () => {
      const file = memoryFile('a test');
      if (file === null) return null;
      stage.keep(file);
      return 'a descriptor';
    },
  },
  {
    title: 'reap',
    calls: 'reap',
    syscall: 'waitpid',
    steps: () => [retried('waitpid')],
    // Which is no child of this process: ECHILD.
    prepare: () => () => reap(process.ppid),
  },
  {
    title: 'exec',
    calls: 'exec',
    syscall: 'execve',
    steps: () => [reported('execve')],
    prepare: (stage) => {
      const path = stage.path();
      return () => exec(path, ['none'], {});
    },
  },
];
