import { listenPidVariable } from './environment.ts';
import { findExecutable } from './executable.ts';
import type { Launch } from './launch.ts';

/**
 * The command line that runs a program with its own process id in `LISTEN_PID`. Only the child knows it, and a program that
 * follows sd_listen_fds(3) takes nothing without it. The shell has the id that the program keeps, because it execs.
 *
 * @throws ENOENT where there is no such program: what the shell says of that nobody could tell from an exit
 */
export function withListenPid(launch: Launch): { command: string; args: string[] } {
  return {
    command: '/bin/sh',
    args: ['-c', `${listenPidVariable}=$$ exec "$0" "$@"`, findExecutable(launch), ...launch.args],
  };
}
