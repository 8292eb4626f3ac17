import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

/**
 * A control group of its own below this process's, in every hierarchy that systemd keeps its services in: on a machine
 * with both versions of cgroups those are two.
 */
export class ControlGroups {
  readonly folders: readonly string[];

  /** @throws where this process may not make one */
  constructor() {
    const name = `fd-handoff-${process.pid}-${Math.random().toString(36).slice(2)}`;
    const folders = hierarchies().map((folder) => join(folder, name));
    if (folders.length === 0) throw new Error('no hierarchy of systemd or of version 2 is mounted');
    const made: string[] = [];
    try {
      for (const folder of folders) {
        mkdirSync(folder);
        made.push(folder);
      }
    } catch (error) {
      for (const folder of made) rmdirSync(folder);
      throw error;
    }
    this.folders = made;
  }

  /** Removes them; whoever was in them has ended. */
  async remove(): Promise<void> {
    // A process that was killed leaves its group a little later than it is waited for.
    for (const folder of this.folders) await eventually(() => removed(folder));
  }
}

/** Where this process is in each hierarchy that systemd uses. cgroups(7), /proc/pid/cgroup. */
function hierarchies(): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'latin1');
  const groups = readFileSync('/proc/self/cgroup', 'latin1').split('\n');
  const found: string[] = [];
  for (const [form, controllers] of [
    [/^\S+ (\S+) cgroup \S*\bname=systemd\b/m, 'name=systemd'],
    [/^\S+ (\S+) cgroup2 /m, ''],
  ] as const) {
    const mounted = form.exec(mounts)?.[1];
    const group = groups.map((line) => /^\d+:(.*?):(.*)$/.exec(line)).find((match) => match?.[1] === controllers)?.[2];
    if (mounted !== undefined && group !== undefined) found.push(join(mounted, group));
  }
  return found;
}

function removed(folder: string): boolean {
  const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  if (!inner.every(({ name }) => removed(join(folder, name)))) return false;
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    return false;
  }
}
