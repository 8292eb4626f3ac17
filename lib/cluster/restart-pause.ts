/**
 * The first pause before a worker is started again, in milliseconds. A crash is mended before anybody looks; and of a
 * signal that went to the whole process group (Ctrl-C, systemd's KillMode) the primary hears meanwhile, and starts none.
 */
const shortest = 100;

/**
 * The longest: a worker that dies at its start costs a few seconds of processor time in a minute then, and one that was
 * mended (a database that is back, a file that was put right) serves within half a minute.
 */
const longest = 30_000;

/** How long a worker has to serve until its death is a new misfortune, and not the same one again. */
const steadyAfter = 60_000;

/** How long to wait before a worker is started again: longer each time, so that one that dies at its start does not spin. */
export class RestartPause {
  #next = shortest;

  /** The pause after a worker that has served for `served` milliseconds, 0 where it never got there. */
  after(served: number): number {
    if (served >= steadyAfter) this.reset();
    const pause = this.#next;
    this.#next = Math.min(2 * pause, longest);
    return pause;
  }

  reset(): void {
    this.#next = shortest;
  }
}
