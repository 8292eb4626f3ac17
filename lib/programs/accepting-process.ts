import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The two ports of a TCP connection on this machine, as its client sees them. */
export interface ConnectionPorts {
  readonly localPort: number;
  readonly remotePort: number;
}

/** Who has accepted a connection. */
export type Acceptance =
  /** It waits in the listener's queue. */
  | 'nobody'
  /** A process of the session that was asked for. */
  | 'session'
  /** Some other process, or one that has let go of it since. */
  | 'another';

/** `TCP_ESTABLISHED` of the kernel's include/net/tcp_states.h, as /proc/net/tcp writes it. */
const established = '01';

/**
 * Tells whether a process of a session has accepted a connection that was made on this machine: two processes that share a
 * listener cannot be told apart by an address. Null where there is no /proc to tell by. proc(5).
 *
 * @param session the id of its leader
 */
export function acceptanceOf({ localPort, remotePort }: ConnectionPorts, session: number): Acceptance | null {
  const inode = inodeOf(remotePort, localPort);
  if (inode === null) return null;
  // A socket that nobody has accepted has no file yet.
  if (inode === '0') return 'nobody';
  return sessionHolds(session, `socket:[${inode}]`) ? 'session' : 'another';
}

/** The inode of the server's side; '' where it is gone, null where nobody can tell. */
function inodeOf(ownPort: number, peerPort: number): string | null {
  const own = hexadecimal(ownPort);
  const peer = hexadecimal(peerPort);
  let tables = 0;
  // A listener on `::` that takes IPv4 has those connections in the second table.
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = read(table);
    if (text === null) continue;
    tables++;
    for (const line of text.split('\n')) {
      const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === established && local?.endsWith(own) && remote?.endsWith(peer)) return inode ?? '';
    }
  }
  return tables === 0 ? null : '';
}

function sessionHolds(session: number, target: string): boolean {
  return processesOf(session).some((pid) =>
    folder(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === target),
  );
}

/** The processes of a session. The name in the second field may have spaces and parentheses of its own. */
function processesOf(session: number): string[] {
  return folder('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    const [, , , ownSession] = (read(`/proc/${name}/stat`) ?? '').replace(/^.*\) /s, '').split(' ');
    return ownSession === String(session);
  });
}

function hexadecimal(port: number): string {
  return `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** What cannot be read belongs to somebody else, or is gone. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

function folder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
