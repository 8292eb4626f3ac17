import { readdirSync, readlinkSync } from 'node:fs';
import { eventually } from './eventually.ts';

/** The sockets, pipes and files that this process has open, as `/proc` names them. */
export function openDescriptors(): string[] {
  const open: string[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      // The folder that is being read, and what the runtime keeps for itself.
      if (!target.startsWith('/proc/') && !target.startsWith('anon_inode:')) open.push(`${fd} ${target}`);
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
      () => this.leaked().length === 0,
      () => this.leaked(),
    );
  }

  leaked(): string[] {
    return openDescriptors().filter((descriptor) => !this.#before.has(descriptor));
  }
}
