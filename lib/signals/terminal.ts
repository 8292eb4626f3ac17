import { closeSync, constants, openSync, readFileSync } from 'node:fs';

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

/** What of proc_pid_stat(5) tells where a process stands. */
interface ProcessStat {
  readonly session: number;
  /** 0 where it has no controlling terminal. */
  readonly terminal: number;
  readonly exiting: boolean;
}

/** `PF_EXITING` of the kernel's include/linux/sched.h: set before an ending process gives up its terminal. */
const exitingFlag = 0x4;

/** The terminal that a process was started at, and whose end ends the session. */
export class ControllingTerminal {
  /** Who ends the session by ending; null where that is not to be seen (`hidepid`, another namespace, no /proc). */
  readonly #leader: number | null;

  /** Null where this process has none. */
  static ofThisProcess(): ControllingTerminal | null {
    return hasTerminal() ? new ControllingTerminal() : null;
  }

  private constructor() {
    const session = statOf('self')?.session ?? 0;
    this.#leader = session > 0 && session !== process.pid && statOf(session) !== null ? session : null;
  }

  /** Whether it is still there, and its session is not about to end. */
  stands(): boolean {
    const own = statOf('self');
    if (own === null) return hasTerminal();
    return own.terminal !== 0 && (this.#leader === null || statOf(this.#leader)?.exiting !== true);
  }
}

function statOf(pid: number | 'self'): ProcessStat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name comes second, in brackets, and may contain anything.
    const [, , , session, terminal, , flags] = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number) as number[];
    return { session: session ?? 0, terminal: terminal ?? 0, exiting: ((flags ?? 0) & exitingFlag) !== 0 };
  } catch {
    return null;
  }
}
