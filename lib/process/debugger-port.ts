import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { DebuggerAddress } from '../transaction/debugger-address.ts';

/**
 * How often it is looked whether a debugger has detached, in milliseconds. A person does that, and goes on by hand: a
 * quarter of a second is not noticed, and the system's table of connections is not read more often than four times a second.
 */
const detachInterval = 250;

/**
 * How long to wait before the port is tried again, in milliseconds: at first as long as a predecessor takes that closes it
 * at once. It can also be an hour, in which a try a second costs nothing.
 */
const firstTry = 20;
const lastTry = 1_000;

/** What this process has to do with the port. */
type Part =
  /** It is open, or it is not: Node knows. */
  | { readonly is: 'as Node has it' }
  /** Another process has it still, and has promised it to this one. */
  | { readonly is: 'awaited'; readonly address: DebuggerAddress }
  /** It was promised to another process; here it is closed, or will be. */
  | { readonly is: 'promised'; readonly address: DebuggerAddress };

/**
 * The port of Node's inspector, by which a debugger attaches to this process: opened by `--inspect`, by SIGUSR1 or by
 * `inspector.open()`. Only one process of a succession can have it.
 *
 * Closing it (`inspector.close()`) waits for every attached debugger to agree, and blocks the event loop meanwhile: one that
 * is itself stopped, or a laptop that sleeps at the other end of a tunnel, would keep every client of this process waiting
 * (measured on Node 20 to 26). So it is closed at once where nobody is attached, and else when nobody is any more, or when
 * this process has nothing left to do.
 */
export class DebuggerPort {
  #part: Part = { is: 'as Node has it' };

  /** What a successor is to have; null where there is nothing, or somebody has it already. */
  get address(): DebuggerAddress | null {
    const { address, is } = { address: null, ...this.#part };
    if (is !== 'as Node has it') return is === 'awaited' ? address : null;
    return addressOf(inspector()?.url());
  }

  /** Opens the port as soon as it is free, unless this process has one of its own by then. */
  open(address: DebuggerAddress): void {
    const part: Part = { is: 'awaited', address };
    this.#part = part;
    void this.#openWhenFree(part);
  }

  /** A successor has been told the port: closes it as soon as that harms nobody. */
  promise(): void {
    const { address } = this;
    if (address === null) return;
    const part: Part = { is: 'promised', address };
    this.#part = part;
    void this.#closeWhenDetached(part);
  }

  /** This process has nothing left to do that could wait. */
  close(): void {
    if (this.#part.is === 'promised') inspector()?.close();
  }

  /** The successor is gone that the port was promised to: it is opened again where it was closed. */
  takeBack(): void {
    if (this.#part.is !== 'promised') return;
    const { address } = this.#part;
    this.#part = { is: 'as Node has it' };
    if (this.address === null) this.open(address);
  }

  async #openWhenFree(part: Part & { is: 'awaited' }): Promise<void> {
    const { host, port } = part.address;
    for (let pause = firstTry; this.#part === part; pause = Math.min(2 * pause, lastTry)) {
      const obstacle = await obstacleAt(part.address);
      if (this.#part !== part) return;
      // Where it is not free Node would say so on standard error, at every try.
      if (obstacle === null) inspector()?.open(port, host, false);
      if (inspector()?.url() !== undefined || (obstacle !== null && obstacle !== 'EADDRINUSE')) {
        this.#part = { is: 'as Node has it' };
        return;
      }
      await delay(pause, undefined, { ref: false });
    }
  }

  async #closeWhenDetached(part: Part & { is: 'promised' }): Promise<void> {
    const { host, port } = part.address;
    for (let warned = false; await isAttached(port); warned = true) {
      if (this.#part !== part) return;
      if (!warned) {
        process.emitWarning(
          `A debugger is attached to this process, which drains. Its successor opens ${host}:${port} when that detaches, or when this process has finished what it has begun.`,
          { type: 'HandoffWarning', code: 'FD_HANDOFF_DEBUGGER' },
        );
      }
      await delay(detachInterval, undefined, { ref: false });
    }
    if (this.#part === part) inspector()?.close();
  }
}

/** There is one in a process, whatever number of `handoff()`s. */
export const debuggerPort = new DebuggerPort();

/**
 * Loaded when it is first asked for, which is at a commit: most processes have no debugger. A Node that was built without
 * an inspector has no such module.
 */
function inspector(): typeof import('node:inspector') | undefined {
  return process.getBuiltinModule?.('node:inspector');
}

/** The address in the URL of the inspector. */
export function addressOf(url: string | undefined): DebuggerAddress | null {
  if (url === undefined) return null;
  const { hostname, port } = new URL(url);
  // The port of a URL is empty where it is the usual one of its scheme.
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 80) };
}

/** The error's code for which nobody could listen there; null where somebody could. */
function obstacleAt({ host, port }: DebuggerAddress): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(null)));
  });
}

/** In the system's table: the state of a connection that is open at both ends. */
const established = '01';

/** Whether somebody is connected to a port of this machine. Where the system does not tell, somebody may be. */
async function isAttached(port: number): Promise<boolean> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((table) => readFile(`/proc/self/net/${table}`, 'latin1').catch(() => null)),
  );
  if (tables[0] === null) return true;
  return tables
    .flatMap((table) => table?.split('\n') ?? [])
    .map((line) => line.trim().split(/\s+/))
    .some(([, address, , state]) => address?.endsWith(local) && state === established);
}
