import { fstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createToken } from '../channel/token.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { memoryFile } from '../fd/memory-file.ts';
import { OwnedFd } from '../fd/owned-fd.ts';

const purpose = 'the record of what survives the exec';

/**
 * Makes the file that what survives an exec is written to: before anything is stopped for that, since a machine can refuse
 * it. In memory, which needs no file system that can be written; where there is no such file (macOS, an old kernel, a policy
 * that forbids it), one in the folder for temporary files that has no name any more.
 *
 * @throws ERR_HANDOFF_EXEC_FAILED where there is neither
 */
export function openExecRecord(): OwnedFd {
  let refusal: unknown = null;
  try {
    const file = memoryFile('fd-handoff');
    if (file !== null) return new OwnedFd(file, purpose);
  } catch (error) {
    refusal = error;
  }
  try {
    return new OwnedFd(openUnnamed(tmpdir()), purpose);
  } catch (error) {
    const both = refusal === null ? '' : ` (and no file in memory: ${(refusal as Error).message})`;
    throw new HandoffError(
      'ERR_HANDOFF_EXEC_FAILED',
      `What is to survive the exec has nowhere to be written: ${(error as Error).message}${both}. Give this process a folder that it can write to, in TMPDIR. It serves on.`,
      { cause: refusal ?? error },
    );
  }
}

/** Writes a record down; it is read from its beginning, wherever its end is. */
export function writeExecRecord(file: OwnedFd, record: unknown): void {
  const text = Buffer.from(JSON.stringify(record));
  for (let written = 0; written < text.length; ) {
    written += writeSync(file.fd, text, written, text.length - written, written);
  }
}

/** Reads what the image before this one has written. */
export function readExecRecord(file: OwnedFd): unknown {
  const text = Buffer.alloc(fstatSync(file.fd).size);
  for (let read = 0; read < text.length; ) read += readSync(file.fd, text, read, text.length - read, read);
  return JSON.parse(text.toString('utf8'));
}

function openUnnamed(folder: string): number {
  const path = join(folder, `fd-handoff-${createToken()}`);
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return file;
}
