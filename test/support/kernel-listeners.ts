import { execFileSync } from 'node:child_process';
import { describe } from '../../lib/fd/describe.ts';
import { OwnedFd } from '../../lib/fd/owned-fd.ts';
import { bindTcp } from '../../lib/fd/socket.ts';

/** A listener as the kernel has it, whoever holds it. */
export interface KernelListener {
  /** `*` for `::` that takes IPv4, too. */
  readonly address: string;
  readonly backlog: number;
  /** How many connections wait. */
  readonly queued: number;
}

/** Every TCP listener on that port of this machine, as ss(8) tells. */
export function kernelListeners(port: number): KernelListener[] {
  const text = execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' });
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, queued, backlog, local = ''] = line.split(/\s+/);
      const address = local.slice(0, local.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
      return { address, backlog: Number(backlog), queued: Number(queued) };
    });
}

/** A port for several listeners with reusePort: bound, so that nobody else gets it, and not listening. */
export class ReservedPort implements Disposable {
  readonly #holder = new OwnedFd(bindTcp('127.0.0.1', 0, { reusePort: true }), 'the holder of a port');

  get port(): number {
    const description = describe(this.#holder.fd);
    if (description.kind !== 'socket' || description.port === undefined) throw new Error('it is bound to no port');
    return description.port;
  }

  [Symbol.dispose](): void {
    this.#holder.close();
  }
}
