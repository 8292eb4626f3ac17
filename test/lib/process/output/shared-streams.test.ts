import { expect, it } from 'vitest';
import { libraryFile, runScript } from '../../../support/child-script.ts';

it('a child that shares standard output does not make it block this process', async () => {
  const script = `
    import { spawn } from 'node:child_process';
    import { writeSync } from 'node:fs';
    import { getNonBlocking } from ${libraryFile('fd/descriptor.ts')};
    import { sharingStreams } from ${libraryFile('process/output/shared-streams.ts')};
    process.stdout.write('');
    const before = getNonBlocking(1);
    const start = () => spawn('true', { stdio: ['ignore', 'inherit', 'inherit'] });
    sharingStreams(start);
    const shared = getNonBlocking(1);
    start();
    console.log(before, shared, getNonBlocking(1));
  `;
  expect(await runScript(script)).toMatchObject({ code: 0, stdout: 'true true false\n' });
});
