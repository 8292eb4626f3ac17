import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HandoffError } from '../../../lib/fd/handoff-error.ts';
import { openExecRecord, readExecRecord, writeExecRecord } from '../../../lib/reexec/exec-record.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

const memory = vi.hoisted(() => ({ file: null as null | (() => number | null) }));
vi.mock('../../../lib/fd/memory-file.ts', async (original) => {
  const real = await original<typeof import('../../../lib/fd/memory-file.ts')>();
  return { memoryFile: (name: string) => (memory.file === null ? real.memoryFile(name) : memory.file()) };
});

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;

beforeEach(() => {
  folder = new TemporaryFolder();
  descriptors = new DescriptorCheck();
});
afterEach(async () => {
  memory.file = null;
  vi.unstubAllEnvs();
  await descriptors[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const refuse = () => {
  throw new Error('memfd_create EACCES: permission denied');
};

describe('the record of an exec', () => {
  it.each([
    ['in memory, where nothing can be written', null, '/no/such/folder', /^\/memfd:fd-handoff/],
    ['in a file without a name, where the system has none in memory', () => null, null, / \(deleted\)$/],
    ['in such a file, where a policy forbids it', refuse, null, / \(deleted\)$/],
  ])('is kept %s', (_, file, TMPDIR, where) => {
    memory.file = file;
    vi.stubEnv('TMPDIR', TMPDIR ?? folder.path);
    using record = openExecRecord();
    if (process.platform === 'linux') expect(readlinkSync(`/proc/self/fd/${record.fd}`)).toMatch(where);
    expect(readdirSync(folder.path)).toEqual([]);
    const text = 'ü'.repeat(100_000);
    writeExecRecord(record, { text });
    expect(readExecRecord(record)).toEqual({ text });
  });

  it('has nowhere to be where there is neither: told before anything is stopped', () => {
    vi.stubEnv('TMPDIR', '/no/such/folder');
    for (const [file, cause] of [
      [() => null, /ENOENT/],
      [refuse, /EACCES/],
    ] as const) {
      memory.file = file;
      const error = failureOf(openExecRecord);
      expect(error).toMatchObject({ code: 'ERR_HANDOFF_EXEC_FAILED', message: expect.stringContaining('TMPDIR') });
      expect((error.cause as Error).message).toMatch(cause);
    }
  });
});

function failureOf(call: () => unknown): HandoffError {
  try {
    call();
  } catch (error) {
    if (error instanceof HandoffError) return error;
    throw error;
  }
  throw new Error('it has not failed');
}
