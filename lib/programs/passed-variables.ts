import { setCloseOnExec } from '../fd/descriptor.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { firstInherited, takeVariable } from '../process/start/environment.ts';
import { receives } from '../servers/index.ts';
import { type PassedDescriptor, takePassedDescriptors } from '../systemd/listen-fds.ts';

/** `host:port=fd;/path=fd`: the sockets of Perl's start_server(1), which keeps them for all that it starts. */
export const serverStarterVariable = 'SERVER_STARTER_PORT';

/** `fd;fd;`: the sockets that nginx passes to its next binary at USR2 (ngx_exec_new_binary of nginx.c). */
export const nginxVariable = 'NGINX';

/** The name of a descriptor that was given none, as in sd_listen_fds_with_names(3). */
const unnamed = 'unknown';

/** A way of passing sockets that names numbers, and not the process that they are for. */
interface NumberedPassing {
  readonly variable: string;
  readonly numbers: (value: string) => readonly string[];
  /** Whether whoever passes them serves on with copies of its own. */
  readonly keeps: boolean;
}

/** In the order in which they are looked for. */
const numberedPassings: readonly NumberedPassing[] = [
  {
    variable: serverStarterVariable,
    numbers: (value) => value.split(';').map((part) => part.slice(part.lastIndexOf('=') + 1)),
    keeps: true,
  },
  { variable: nginxVariable, numbers: (value) => value.split(/[;:]/).slice(0, -1), keeps: false },
];

/**
 * Takes the sockets that whoever has started this process has passed to it: by `LISTEN_FDS`, else by
 * `SERVER_STARTER_PORT`, else by `NGINX`. All these variables are removed, whatever they say: what this process starts
 * would take the numbers for its own.
 *
 * @param listenFds whether to look at `LISTEN_FDS`; it is left alone otherwise
 * @throws ERR_HANDOFF_PROTOCOL for variables of `LISTEN_FDS` that are malformed
 */
export function takePassed(listenFds: boolean, environment: NodeJS.ProcessEnv = process.env): PassedDescriptor[] {
  const values = numberedPassings.map((passing) => ({ passing, value: takeVariable(environment, passing.variable) }));
  const passed = listenFds ? takePassedDescriptors(environment) : [];
  for (const { passing, value } of values) {
    if (passed.length === 0 && value !== undefined) passed.push(...own(passing, value));
  }
  return passed;
}

/** None where one of them is no bound socket: the variable is an ancestor's then, whose numbers are others here. */
function own({ variable, numbers, keeps }: NumberedPassing, value: string): PassedDescriptor[] {
  const fds = numbers(value).map((text) => (/^\d{1,9}$/.test(text) ? Number(text) : -1));
  if (!fds.every(isBoundSocket) || new Set(fds).size < fds.length) {
    process.emitWarning(
      `${variable} is "${value}", and not all of these are sockets of this process: it is left alone. Was the variable meant for another program?`,
      { type: 'HandoffWarning', code: 'FD_HANDOFF_PASSED' },
    );
    return [];
  }
  return fds.map((fd) => {
    setCloseOnExec(fd, true);
    return { name: unnamed, descriptor: new OwnedFd(fd, `a descriptor of ${variable}`), kept: keeps };
  });
}

/** A number of the runtime's own (its event loop, say) is none. */
function isBoundSocket(fd: number): boolean {
  try {
    return fd >= firstInherited && receives(fd);
  } catch {
    return false;
  }
}
