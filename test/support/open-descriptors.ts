import { readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

/** Where tsx keeps what it compiled: on a new machine it writes there in the background while the first tests run. */
const compiled = join(tmpdir(), 'tsx-');

/** The sockets, pipes and files that this process has open, as `/proc` names them. */
export function openDescriptors(): string[] {
  const open: string[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      // The folder that is being read, and what the runtime keeps for itself.
      if (['/proc/', 'anon_inode:', compiled].some((own) => target.startsWith(own))) continue;
      open.push(`${fd} ${target}`);
    } catch {
      // The descriptor by which the folder was read.
    }
  }
  return open;
}

/** Remembers what is open now; disposing of it waits until nothing else is, and fails where something stays. */
export class DescriptorCheck implements AsyncDisposable {
  readonly #before = new Set(openDescriptors());

  async [Symbol.asyncDispose](): Promise<void> {
    await eventually(
      () => this.opened().length === 0,
      () => this.opened(),
    );
  }

  /** What was opened since, and still is. Never a count: the runtime opens and closes what is its own meanwhile. */
  opened(): string[] {
    return openDescriptors().filter((descriptor) => !this.#before.has(descriptor));
  }
}
