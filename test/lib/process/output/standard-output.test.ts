import { Writable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type LostOutput, onLostOutput, speak, standardError } from '../../../../lib/process/output/standard-output.ts';
import { libraryFile, runScript } from '../../../support/child-script.ts';

afterEach(() => {
  vi.restoreAllMocks();
  Reflect.deleteProperty(process.stderr, 'writableLength');
});

function losing(act: () => void): LostOutput[] {
  const lost: LostOutput[] = [];
  const stop = onLostOutput((one) => lost.push(one));
  try {
    act();
    return lost;
  } finally {
    stop();
  }
}

describe('standard error', () => {
  it('drops what a reader does not read, and counts it', () => {
    // An own property, which hides the inherited one.
    Object.defineProperty(process.stderr, 'writableLength', { value: 1024 * 1024, configurable: true });
    const write = vi.spyOn(process.stderr, 'write');
    const before = standardError.lost;
    expect(losing(() => standardError.write('four'))).toEqual([{ stream: 'stderr', lost: before + 4, error: null }]);
    expect(write).not.toHaveBeenCalled();
  });

  it('survives a function of the application in the place of its own that throws', () => {
    const error = new Error('no log');
    vi.spyOn(process.stderr, 'write').mockImplementation(() => {
      throw error;
    });
    expect(losing(() => standardError.write('x'))).toEqual([expect.objectContaining({ stream: 'stderr', error })]);
  });
});

it('an error of what the application writes itself is told, and is no uncaught exception', async () => {
  const script = `
    import { onLostOutput, protectStandardStreams } from ${libraryFile('process/output/standard-output.ts')};
    import { closeSync, openSync } from 'node:fs';
    closeSync(2);
    openSync('/dev/full', 'w');
    protectStandardStreams();
    protectStandardStreams();
    onLostOutput(({ stream, lost, error }) => console.log(stream, lost, error.code));
    process.stderr.write('x');
    setTimeout(() => console.log('alive', process.stderr.listenerCount('error')), 50);
  `;
  expect(await runScript(script)).toMatchObject({ code: 0, stdout: 'stderr 0 ENOSPC\nalive 1\n' });
});

it('a command says what fits', () => {
  const heard: string[] = [];
  const stuck = new Writable({ write: (piece) => heard.push(String(piece)) });
  speak(stuck, 'x'.repeat(1024 * 1024));
  speak(stuck, 'dropped');
  expect([heard.length, stuck.writableLength]).toEqual([1, 1024 * 1024]);
});
