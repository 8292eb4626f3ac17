import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What `/proc` says of processes that belong to somebody else. */

/** Whether it runs or is stopped; a zombie does neither. */
export function isAlive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== null && state !== 'Z' && state !== 'X';
}

/** The letter of ps(1), T for one that is stopped, or null for one that is gone. */
export function stateOf(pid: number): string | null {
  return /\) (\S)/.exec(read(`/proc/${pid}/stat`))?.[1] ?? null;
}

/** The children of `pid` that have ended and were not waited for. */
export function zombiesOf(pid: number): number[] {
  return childrenOf(pid).filter((child) => stateOf(child) === 'Z');
}

/** The process that has started it, or has it since; 0 where it is gone. */
export function parentOf(pid: number): number {
  return Number(/\) \S (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1] ?? 0);
}

export function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);
}

/** The processes that have `text` in the environment that they were started with. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isAlive(pid) && read(`/proc/${pid}/environ`).includes(text));
}

/** What `pid` has open, except connections of TCP, which come and go with a load. Sorted, and without numbers. */
export function descriptorsOf(pid: number): string[] {
  const listening = tcpListeners();
  const kinds: string[] = [];
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      let target: string;
      try {
        target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        // Closed since the folder was read.
        continue;
      }
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode === undefined) kinds.push(target.replace(/:\[\d+\]$/, ''));
      else if (listening.has(inode)) kinds.push('listener');
      else if (unixSockets().has(inode)) kinds.push('unix socket');
    }
  } catch {
    // The process is gone.
  }
  return kinds.sort();
}

function tcpListeners(): Set<string> {
  const inodes = new Set<string>();
  for (const line of read('/proc/net/tcp').split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[3] === '0A') inodes.add(fields[9] as string);
  }
  return inodes;
}

function unixSockets(): Set<string> {
  const lines = read('/proc/net/unix').split('\n').slice(1);
  return new Set(lines.map((line) => line.split(/\s+/)[6] as string));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
