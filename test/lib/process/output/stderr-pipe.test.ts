import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { expect, it } from 'vitest';
import { StderrPipe } from '../../../../lib/process/output/stderr-pipe.ts';
import { libraryFile, runScript } from '../../../support/child-script.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';

it('is read to its end, and leaves no descriptor behind', async () => {
  process.stderr.write('');
  await using _descriptors = new DescriptorCheck();
  const pipe = new StderrPipe();
  writeSync(pipe.writer, 'the reason');
  const stream = pipe.stream();
  pipe[Symbol.dispose]();
  let text = '';
  stream.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  await once(stream, 'close');
  expect(text).toBe('the reason');
});

it('what is still to come by it is passed on when this process has ended, up to the last who writes', async () => {
  const script = `
    import { spawn } from 'node:child_process';
    import { OwnedFd } from ${libraryFile('fd/owned-fd.ts')};
    import { relayToStandardError, StderrPipe } from ${libraryFile('process/output/stderr-pipe.ts')};
    const pipe = new StderrPipe();
    const helper = 'kill -0 $PPID; while kill -0 "$1" 2>/dev/null; do sleep 0.05; done; echo one >&2; echo two >&2';
    const stdio = ['ignore', 'ignore', pipe.writer];
    spawn('sh', ['-c', helper, 'sh', String(process.pid)], { stdio, detached: true }).unref();
    relayToStandardError(OwnedFd.dup(pipe.reader, 'the read end'));
    pipe[Symbol.dispose]();
  `;
  expect(await runScript(script)).toMatchObject({ code: 0, stderr: 'one\ntwo\n' });
});
