import { readdirSync, readFileSync } from 'node:fs';
import { reap } from '../fd/child.ts';

/**
 * The children that this process had before an exec. They are its children still, and nobody would wait for them: libuv
 * waits for those that it has started, each by its number. They would be zombies when they end, as long as this process
 * lives.
 */
export class FormerChildren {
  readonly #pids: Set<number>;
  readonly #onChild = () => this.#reapEnded();

  private constructor(pids: readonly number[]) {
    this.#pids = new Set(pids);
  }

  /**
   * Waits for these from now on, and for nobody else: the number of a child is nobody else's before it was waited for. A
   * signal says that some child has ended, and several at once can be one signal.
   */
  static waitFor(pids: readonly number[]): FormerChildren {
    const children = new FormerChildren(pids);
    if (pids.length > 0) process.on('SIGCHLD', children.#onChild);
    // Those that have ended in the meantime, before there was anybody to hear of it.
    children.#reapEnded();
    return children;
  }

  /** Those that have not ended yet. */
  get pids(): readonly number[] {
    return [...this.#pids];
  }

  #reapEnded(): void {
    for (const pid of this.#pids) if (reap(pid)) this.#pids.delete(pid);
    if (this.#pids.size === 0) process.off('SIGCHLD', this.#onChild);
  }
}

/**
 * The children that this process has now, those that have ended and were not waited for included. None where the system
 * does not tell (macOS): children of before an exec are zombies there when they end, until this process does.
 */
export function childrenOfThisProcess(): number[] {
  try {
    // Each thread has those that it has started.
    return readdirSync('/proc/self/task').flatMap((thread) =>
      numbers(readFileSync(`/proc/self/task/${thread}/children`, 'utf8')),
    );
  } catch {
    return childrenByParent();
  }
}

/** The same where the kernel has no list of them (CONFIG_PROC_CHILDREN): by the parent of every process. */
export function childrenByParent(): number[] {
  return processes().filter((pid) => {
    try {
      // The name before it is in parentheses, and can have some of its own.
      return Number(/\) \S (\d+)[^)]*$/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]) === process.pid;
    } catch {
      // It has ended since.
      return false;
    }
  });
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function numbers(text: string): number[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}
