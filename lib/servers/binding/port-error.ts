import { readFileSync } from 'node:fs';
import { formatAddress } from './address.ts';
import { portOwner } from './port-owner.ts';

/** Below it only root binds, unless the system says otherwise. */
const firstUnprivileged = 1024;

/**
 * The system's error for a port that cannot be had, with what to do about it. Code, errno and syscall, at which programs
 * look, stay as they are; what is no error of a port is given back as it is.
 */
export function portError(error: unknown, protocol: 'tcp' | 'udp', address: string, port: number): unknown {
  if (!(error instanceof Error)) return error;
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  const advice = code === undefined ? null : adviceOn(code, protocol, address, port);
  if (advice === null) return error;
  const told = new Error(`${error.message}. ${advice}`, { cause: error });
  return Object.assign(told, { code, errno, syscall, address, port });
}

function adviceOn(code: string, protocol: 'tcp' | 'udp', address: string, port: number): string | null {
  switch (code) {
    case 'EADDRINUSE': {
      const owner = portOwner(protocol, port);
      const who = owner === null ? 'Another process has the port' : `It is ${owner} that has the port`;
      const itself = owner === 'this process itself';
      return itself
        ? `${who}: a server that is given to this library is not to listen by itself as well.`
        : `${who}: end it, take another port, or, where it is an older version of this program, give both the same control path, and this one takes over from it.`;
    }
    case 'EACCES':
      if (port >= boundary()) return `User ${process.geteuid?.()} may not bind to ${formatAddress({ address, port })}.`;
      return `Ports below ${boundary()} are for root alone, and this process is user ${process.geteuid?.()}: start it as root, which takes over from the one that serves, and have it become its user after ready() (the "user" option of handoff()); or give the program CAP_NET_BIND_SERVICE (AmbientCapabilities= of systemd, setcap), have a socket unit bind it, or take a port from ${boundary()} on.`;
    case 'EADDRNOTAVAIL':
      return `No interface of this machine has the address ${address}: give one that it has, or leave "host" out for all of them.`;
    case 'EAFNOSUPPORT':
      return `This machine has no ${address.includes(':') ? 'IPv6' : 'IPv4'}.`;
    case 'EMFILE':
      return 'This process has as many descriptors open as it may: raise its limit (ulimit -n, LimitNOFILE=).';
    case 'ENFILE':
      return 'The system has as many descriptors open as it may: raise its limit (sysctl fs.file-max).';
    default:
      return null;
  }
}

function boundary(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    return firstUnprivileged;
  }
}
