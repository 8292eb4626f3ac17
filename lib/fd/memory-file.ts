import { constants } from 'node:os';
import { validateString } from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

/**
 * A file in memory that has no path, and is gone with its last descriptor: readable, writable, close-on-exec. It needs no
 * file system that can be written. memfd_create(2).
 *
 * @param name What `/proc/<pid>/fd` shows of it.
 * @returns The descriptor, or null where the system has no such files (macOS).
 * @throws {Error} EMFILE, ENFILE, ENOMEM, EACCES and EPERM where the machine's policy forbids it.
 */
export function memoryFile(name: string): number | null {
  validateString(name, 'name');
  const result = native().memoryFile(name);
  if (result === -constants.errno.ENOSYS) return null;
  if (result < 0) throw systemError(result, 'memfd_create');
  return result;
}
