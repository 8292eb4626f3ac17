import type { PidFile } from '../../process/pid-file.ts';

/** The PID file, as far as it is this process's to write. Without one nothing happens. */
export class PidFilePost {
  readonly #file: PidFile | null;
  readonly #report: (error: unknown) => void;

  /** @param report is told of what fails once somebody serves: that must not stop the service */
  constructor(file: PidFile | null, report: (error: unknown) => void) {
    this.#file = file;
    this.#report = report;
  }

  /** At a fresh start nobody served before: throws where the file cannot be written. */
  start(): void {
    const stranger = this.#file?.stranger() ?? null;
    if (stranger !== null) {
      // No reason to stay away: after a reboot the number is anybody's, and a service that serves is not the one here,
      // whose listeners this process has.
      process.emitWarning(
        `The PID file ${this.#file?.path} named process ${stranger}, which is alive and not the predecessor of this one: it names this one now. Is the service running twice?`,
        { type: 'HandoffWarning', code: 'FD_HANDOFF_PID_FILE' },
      );
    }
    this.#file?.write();
  }

  /** This process is the owner. */
  write(): void {
    this.#try((file) => file.write());
  }

  /** For one that serves beside others: the file may be somebody else's, who lives. */
  writeIfFree(gone: number | null): void {
    this.#try((file) => {
      if (file.stranger(gone) === null) file.write();
    });
  }

  /** Names the owner that comes after this process, where that does not do so itself. */
  bequeath(pid: number): void {
    this.#try((file) => file.bequeath(pid));
  }

  remove(): void {
    this.#try((file) => file.remove());
  }

  #try(act: (file: PidFile) => void): void {
    if (this.#file === null) return;
    try {
      act(this.#file);
    } catch (error) {
      this.#report(error);
    }
  }
}
