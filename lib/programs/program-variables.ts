import {
  firstInherited,
  listenFdNamesVariable,
  listenFdsVariable,
  readyVariable,
} from '../process/start/environment.ts';
import { boundAddress, formatAddress } from '../servers/index.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';
import { nginxVariable, serverStarterVariable } from './passed-variables.ts';

/**
 * By which variable a program finds its listeners: `LISTEN_FDS` (sd_listen_fds(3)), nginx's own `NGINX`, or
 * `SERVER_STARTER_PORT` of Perl's Server::Starter.
 */
export type Convention = 'systemd' | 'nginx' | 'server-starter';

export const conventions: readonly Convention[] = ['systemd', 'nginx', 'server-starter'];

/** What a program that knows nothing of this library has from descriptor 3 on, and the variables that say so. */
export interface ProgramDescriptors {
  readonly env: NodeJS.ProcessEnv;
  /** For `spawn()`, from number 3 on; `'ignore'` where a number in between is nobody's. Borrowed. */
  readonly stdio: readonly (number | 'ignore')[];
}

/** What is to be passed. */
export interface ProgramPassing {
  /** In the order in which the program is to have them; borrowed. */
  readonly listeners: readonly NamedDescriptor[];
  readonly convention: Convention;
  /** The write end of a ready pipe; borrowed. */
  readonly ready: number;
  /** The number that the program writes its newline to; null where it reads that from `FD_HANDOFF_READY_FD`. */
  readonly readyNumber: number | null;
}

/**
 * Numbers what a program inherits.
 *
 * @throws RangeError where the number for the ready descriptor is one of the listeners'
 */
export function passToProgram({ listeners, convention, ready, readyNumber }: ProgramPassing): ProgramDescriptors {
  const free = firstInherited + listeners.length;
  const number = readyNumber ?? free;
  if (number < free) {
    throw Object.assign(
      new RangeError(
        `Descriptor ${number} cannot be the ready descriptor: the program's listeners are ${firstInherited} to ${free - 1}. Give ${free} or a higher number.`,
      ),
      { code: 'ERR_OUT_OF_RANGE' },
    );
  }
  const gap = Array.from({ length: number - free }, () => 'ignore' as const);
  return {
    env: { ...variablesOf(listeners, convention), [readyVariable]: String(number) },
    stdio: [...listeners.map(({ fd }) => fd), ...gap, ready],
  };
}

function variablesOf(listeners: readonly NamedDescriptor[], convention: Convention): NodeJS.ProcessEnv {
  const numbered = listeners.map(({ fd }, index) => ({ fd, number: firstInherited + index }));
  switch (convention) {
    case 'systemd':
      return {
        [listenFdsVariable]: String(listeners.length),
        [listenFdNamesVariable]: listeners.map(({ name }) => name).join(':'),
      };
    case 'nginx':
      return { [nginxVariable]: numbered.map(({ number }) => `${number};`).join('') };
    case 'server-starter':
      return {
        [serverStarterVariable]: numbered
          .map(({ fd, number }) => `${formatAddress(boundAddress(fd))}=${number}`)
          .join(';'),
      };
  }
}
