import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { announceReady, ReadyPipe } from '../../../lib/transaction/ready-pipe.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';

let descriptors: DescriptorCheck;
let ready: ReadyPipe;
/** The successor's copy of the write end. */
let writer: OwnedFd;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  ready = new ReadyPipe();
  writer = OwnedFd.dup(ready.writer, 'the writer of a test');
});

afterEach(async () => {
  writer.close();
  ready[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

describe('ready', () => {
  it('is a newline', async () => {
    ready.closeWriter();
    announceReady(writer);
    expect(await ready.ready(never)).toBe('');
  });

  it('may have a status text before it, in any number of pieces', async () => {
    const waiting = ready.ready(never);
    for (const byte of Buffer.from('wärm, 3 caches')) {
      writeSync(writer.fd, Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    writeSync(writer.fd, '\nand more that nobody reads\n');
    expect(await waiting).toBe('wärm, 3 caches');
  });

  it('keeps 4096 bytes of a status that is somebody else’s log', async () => {
    const waiting = ready.ready(never);
    writeSync(writer.fd, 'x'.repeat(5000));
    writeSync(writer.fd, 'y'.repeat(5000));
    writeSync(writer.fd, '\n');
    expect(await waiting).toBe('x'.repeat(4096));
  });

  it('counts when it was written before anybody waited, and the writer is gone', async () => {
    writeSync(writer.fd, 'early\n');
    writer.close();
    ready.closeWriter();
    expect(await ready.ready(never)).toBe('early');
  });

  it('can come from a shell', async () => {
    const child = spawn('/bin/sh', ['-c', 'echo warm >&3'], { stdio: ['ignore', 'ignore', 'inherit', writer.fd] });
    const closed = once(child, 'close');
    writer.close();
    ready.closeWriter();
    expect(await ready.ready(never)).toBe('warm');
    await closed;
  });
});

describe('a pipe of sockets', () => {
  it('introduces this process, is written to as any other, and tells of the end', async () => {
    using introducing = ReadyPipe.introducing('who I am\n');
    using other = OwnedFd.dup(introducing.writer, 'the other end of a test');
    introducing.closeWriter();
    const child = spawn('/bin/sh', ['-c', 'read line <&3; echo "$line" >&3; cat <&3 >&3'], {
      stdio: ['ignore', 'ignore', 'inherit', other.fd],
    });
    const closed = once(child, 'close');
    other.close();
    expect(await introducing.ready(never)).toBe('who I am');
    introducing[Symbol.dispose]();
    expect(await closed).toEqual([0, null]);
  });
});

describe('failure', () => {
  it('is end-of-file before a newline', async () => {
    ready.closeWriter();
    const waiting = ready.ready(never);
    writeSync(writer.fd, 'nearly');
    writer.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
  });

  it('is a process that exits', async () => {
    const child = spawn('/bin/sh', ['-c', 'exit 1'], { stdio: ['ignore', 'ignore', 'inherit', writer.fd] });
    const closed = once(child, 'close');
    writer.close();
    ready.closeWriter();
    await expect(ready.ready(never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
    await closed;
  });

  it('is the end of the signal, before or during the wait', async () => {
    await expect(ready.ready(AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    const controller = new AbortController();
    const waiting = ready.ready(controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
  });
});

it('a parent that keeps the write end of the ready pipe never sees end-of-file', async () => {
  const controller = new AbortController();
  const kept = ready.ready(controller.signal);
  writer.close();
  // Two turns are more than an end-of-file takes; with our own end open there is none.
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  await expect(kept).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
  const waiting = ready.ready(never);
  ready.closeWriter();
  await expect(waiting).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
});

describe('announceReady', () => {
  it('closes the write end', () => {
    announceReady(writer);
    expect(writer.closed).toBe(true);
  });

  it('does not fail, and does not kill, where nobody reads any more', async () => {
    ready[Symbol.dispose]();
    announceReady(writer);
    expect(writer.closed).toBe(true);
  });
});
