import { closeSync, constants, openSync } from 'node:fs';

/**
 * Whether this process has a controlling terminal, and so is sent SIGWINCH when somebody resizes a window. Its standard
 * streams say nothing about that: they may lead elsewhere. `/dev/tty` cannot be opened without one (tty(4)).
 */
export function hasTerminal(): boolean {
  // There the signal has no other source than the console.
  if (process.platform === 'win32') return true;
  try {
    closeSync(openSync('/dev/tty', constants.O_RDONLY | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}
