import { constants } from 'node:os';

/** What the exit code of the command says. The one table: `--help` prints it, and docs/command.md is compared with it. */
export const exitCodes = {
  done: { code: 0, meaning: 'done' },
  failed: { code: 1, meaning: 'it was tried and has failed; the message says why, and who serves' },
  usage: { code: 2, meaning: 'the command line is wrong, and nothing was done' },
  nobody: { code: 3, meaning: 'nobody answers there: no such socket, or the process that had it is gone' },
  forbidden: { code: 4, meaning: "the socket, or the process at it, is another user's" },
  foreign: { code: 5, meaning: 'who answers there speaks another protocol, or another version of it' },
  silent: { code: 6, meaning: 'the process there does not answer in time: it is stopped, or blocked' },
  notExecutable: { code: 126, meaning: 'the program cannot be executed' },
  notFound: { code: 127, meaning: 'there is no such program' },
  interrupted: { code: 130, meaning: 'ended by Ctrl-C' },
} as const;

/** A line of the table. */
export type ExitCodeName = keyof typeof exitCodes;

/** What the failure to reach a process means, by the error's code; whatever is not here has been tried and has failed. */
const namesByErrorCode: Readonly<Record<string, ExitCodeName>> = {
  ENAMETOOLONG: 'usage',
  ERR_INVALID_ARG_VALUE: 'usage',
  ENOENT: 'nobody',
  ENOTDIR: 'nobody',
  ECONNREFUSED: 'nobody',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  ERR_HANDOFF_UNTRUSTED_PEER: 'forbidden',
  ENOTSOCK: 'foreign',
  EPROTOTYPE: 'foreign',
  ERR_HANDOFF_PROTOCOL: 'foreign',
  ERR_HANDOFF_VERSION: 'foreign',
  ERR_HANDOFF_TIMEOUT: 'silent',
};

export function exitCodeNameOf(errorCode: string | undefined): ExitCodeName {
  const name =
    errorCode !== undefined && Object.hasOwn(namesByErrorCode, errorCode) ? namesByErrorCode[errorCode] : null;
  return name ?? 'failed';
}

/** How a program has ended, as a shell tells it. */
export function exitCodeOf({ code, signal }: { code: number | null; signal: NodeJS.Signals | null }): number {
  return signal === null ? (code ?? 1) : 128 + constants.signals[signal];
}
