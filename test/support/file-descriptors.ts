import { closeSync, fstatSync, openSync } from 'node:fs';
import type { OwnedFd } from '../../lib/fd/owned-fd.ts';
import type { TemporaryFolder } from './temporary-folder.ts';

/** Descriptors that can be told apart after a journey: each is open on a file of its own. */
export class FileDescriptors implements Disposable {
  readonly fds: number[];

  constructor(folder: TemporaryFolder, count: number) {
    this.fds = Array.from({ length: count }, (_, index) => openSync(folder.file(`file-${index}`), 'w'));
  }

  /** Which file each of `received` is open on, as its index here; -1 for another one. */
  order(received: readonly OwnedFd[]): number[] {
    const inodes = this.fds.map((fd) => fstatSync(fd).ino);
    return received.map(({ fd }) => inodes.indexOf(fstatSync(fd).ino));
  }

  [Symbol.dispose](): void {
    for (const fd of this.fds) closeSync(fd);
  }
}
