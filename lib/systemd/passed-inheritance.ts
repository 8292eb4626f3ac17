import { fstatSync } from 'node:fs';
import type { Inheritance } from '../transaction/inheritance.ts';
import { InheritedDescriptors } from '../transaction/inherited-descriptors.ts';
import { keeperOf } from '../transaction/keeper.ts';
import { controlName, describeForManifest, type Inherited, readyName } from '../transaction/manifest.ts';
import { socketFileExists } from '../transaction/path/control-path.ts';
import { freeName } from './descriptor-store.ts';
import type { PassedDescriptor } from './listen-fds.ts';

/**
 * The kind of a socket whose file is gone, as that of a stored one is when its folder was cleared at a restart
 * (`RuntimeDirectory=`). Nobody can come by it any more, so it is not served on: a new one can have the path.
 */
const unreachable = 'unreachable socket';

/**
 * What was passed to this process by a service manager, or by another program, found by name or address like a
 * predecessor's. A manager keeps copies of its own, so that closing one here ends nothing.
 */
export class PassedInheritance extends InheritedDescriptors implements Inheritance, Disposable {
  readonly rehearsed = false;
  readonly generation = 0;
  readonly predecessor = null;

  /**
   * @param passed taken over
   * @param service the control group of this service
   * @param besides what a predecessor has offered. It goes first: of one that is both, the copy that was passed is closed
   */
  constructor(passed: readonly PassedDescriptor[], service: string, besides: readonly Inherited[] = []) {
    super(adopt(passed, service, besides));
  }

  state(): null {
    return null;
  }

  [Symbol.dispose](): void {
    this.closeHeld();
  }
}

function adopt(passed: readonly PassedDescriptor[], service: string, besides: readonly Inherited[]): Inherited[] {
  const adopted: Inherited[] = [];
  const offered = new Map(besides.map((inherited) => [identityOf(inherited.descriptor.fd), inherited]));
  const names = new Set([readyName, controlName, ...besides.map(({ entry }) => entry.name)]);
  for (const { name, descriptor, kept = true } of passed) {
    const keeper = { service, name };
    const same = offered.get(identityOf(descriptor.fd));
    if (same !== undefined) {
      if (kept && keeperOf(same.entry)?.service !== service) same.entry.keeper = keeper;
      descriptor.close();
      continue;
    }
    // Names are not unique here: the sockets of one unit share one unless it gives them others.
    const free = freeName(name === '' ? 'unknown' : name, (candidate) => names.has(candidate));
    names.add(free);
    const entry = describeForManifest({ name: free, fd: descriptor.fd, ...(kept ? { notes: { keeper } } : {}) });
    if (typeof entry.path === 'string' && !socketFileExists(entry.path)) entry.kind = unreachable;
    const inherited = { entry, descriptor };
    adopted.push(inherited);
    offered.set(identityOf(descriptor.fd), inherited);
  }
  return adopted;
}

/** The same for every copy of a socket: its inode. Every socket has one of its own, and keeps it while it is open. */
function identityOf(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
}
