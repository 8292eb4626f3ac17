import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Which sockets of a table of the kernel have their port: TCP ones that listen, UDP ones that are not connected. */
const owning = { tcp: '0A', udp: '07' } as const;

/**
 * Who has a port, for a message: `process 4711 (node)`; null where that cannot be told. What the kernel says of a port is
 * its user; which of that user's processes it is, only one that may look into them can tell.
 */
export function portOwner(protocol: keyof typeof owning, port: number): string | null {
  if (process.platform !== 'linux') return null;
  const sockets = [protocol, `${protocol}6`].flatMap((table) => socketsAt(table, owning[protocol], port));
  const [first] = sockets;
  if (first === undefined) return null;
  const pids = processesWith(new Set(sockets.map(({ inode }) => `socket:[${inode}]`)));
  if (pids.includes(process.pid)) return 'this process itself';
  if (pids.length === 0) return `a process of user ${first.uid}`;
  return pids.map((pid) => `process ${pid} (${commandOf(pid)})`).join(', ');
}

interface Socket {
  readonly uid: string;
  readonly inode: string;
}

/** proc(5): the local address is the second word, with its port in hexadecimal; then comes the state. */
function socketsAt(table: string, state: string, port: number): Socket[] {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return linesOf(`/proc/net/${table}`)
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[1]?.endsWith(end) === true && words[3] === state)
    .map((words) => ({ uid: words[7] as string, inode: words[9] as string }));
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split('\n');
  } catch {
    return [];
  }
}

function processesWith(sockets: ReadonlySet<string>): number[] {
  const pids = entriesOf('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => entriesOf(`/proc/${pid}/fd`).some((fd) => sockets.has(targetOf(`/proc/${pid}/fd/${fd}`))))
    .map(Number);
}

/** Empty for what is gone by now, or not for this user to see. */
function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function commandOf(pid: number): string {
  return linesOf(`/proc/${pid}/comm`)[0] ?? 'unknown';
}
