import { readFileSync } from 'node:fs';

/**
 * The control group of a process, by which systemd tells services apart: `/system.slice/app.service`. Null where there
 * are none, or the process is gone. cgroups(7), /proc/pid/cgroup.
 */
export function controlGroupOf(pid: number | 'self'): string | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/cgroup`, 'latin1');
  } catch {
    return null;
  }
  const groups = new Map(
    text.split('\n').map((line): [string, string] => {
      const [hierarchy, controllers, path] = line.split(/:(.*?):/s) as [string, string?, string?];
      return [`${hierarchy === '0' ? '0' : ''}:${controllers ?? ''}`, path ?? ''];
    }),
  );
  // On a machine with both versions the manager's own hierarchy counts; the unified one may be empty.
  return groups.get(':name=systemd') ?? groups.get('0:') ?? null;
}
