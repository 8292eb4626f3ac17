/** A service that can be replaced while it is under load. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface Service {
  readonly port: number;
  /** Replaces it once, in the way it is meant to be; resolves when the new one serves and the old one is gone. */
  replace(): Promise<void>;
  end(): Promise<void>;
}

/** What the peers need of the benchmark. */
export interface Place {
  /** A folder of this peer's own. */
  readonly folder: string;
  /** Whether what it is may be fetched where it was not before. */
  readonly fetch: boolean;
}

export interface Contender {
  readonly name: string;
  /** Throws where this machine does not have it. */
  start(place: Place): Promise<Service>;
}

export function serverProgram(name: string): string {
  return fileURLToPath(new URL(`servers/${name}`, import.meta.url));
}

/** A port that was free a moment ago, for programs that cannot be told to choose one. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

/** The processes that `pid` has started and that are still there. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** How often is looked for what has no event: a proxy tells nobody that its old worker is gone. */
const lookInterval = 10;

/** How long a proxy may take to replace its worker, in milliseconds: hundreds of times what it needs. */
const workerDeadline = 30_000;

/** Resolves when none of `former` is left of the children of `pid`, and another is there. */
export async function workersReplaced(pid: number, former: readonly number[]): Promise<void> {
  const end = performance.now() + workerDeadline;
  for (;;) {
    const present = childrenOf(pid);
    if (present.length > 0 && !present.some((child) => former.includes(child))) return;
    if (performance.now() > end) throw new Error(`the workers ${former} were not replaced`);
    await delay(lookInterval);
  }
}

/** How long a program may take until it accepts, in milliseconds. */
const acceptDeadline = 10_000;

/** Resolves when somebody answers at the port. */
export async function answers(port: number): Promise<void> {
  const end = performance.now() + acceptDeadline;
  for (;;) {
    const answered = await fetch(`http://127.0.0.1:${port}/`).then(
      (response) => response.text().then(() => response.ok),
      () => false,
    );
    if (answered) return;
    if (performance.now() > end) throw new Error(`nobody answers at port ${port}`);
    await delay(lookInterval);
  }
}
