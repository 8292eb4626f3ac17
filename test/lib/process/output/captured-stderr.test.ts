import { expect, it } from 'vitest';
import { libraryFile, runScript } from '../../../support/child-script.ts';

const setting = `
  import { duplicateTo } from ${libraryFile('fd/descriptor.ts')};
  import { OwnedFd } from ${libraryFile('fd/owned-fd.ts')};
  import { CapturedStderr } from ${libraryFile('process/output/captured-stderr.ts')};
  import { StderrPipe } from ${libraryFile('process/output/stderr-pipe.ts')};
  const pipe = new StderrPipe();
  const real = OwnedFd.dup(2, 'the real one');
  duplicateTo(pipe.writer, 2);
  const reader = OwnedFd.dup(pipe.reader, 'the read end');
  pipe[Symbol.dispose]();
  const captured = new CapturedStderr({ real, reader });
  process.stderr.write('before\\n');
`;

it('what is in the pipe and nobody has read goes to where it was meant for', async () => {
  const script = `${setting} captured.restore('here'); captured.restore('here'); process.stderr.write('after\\n');
    console.log(reader.closed, captured.meant);`;
  expect(await runScript(script)).toMatchObject({ code: 0, stderr: 'before\nafter\n', stdout: 'true 2\n' });
});

it('where the predecessor reads it, it is left to that', async () => {
  const script = `${setting} captured.restore('the predecessor'); process.stderr.write('after\\n'); console.log(reader.closed);`;
  expect(await runScript(script)).toMatchObject({ code: 0, stderr: 'after\n', stdout: 'true\n' });
});
