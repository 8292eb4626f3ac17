import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { libraryFile, outcome, runScript, startScript } from '../../support/child-script.ts';

const importing = `import { leave } from ${libraryFile('process/leave.ts')};`;

describe('leave', () => {
  it('writes out what is pending, and ends with the code: exit alone would cut 1 MiB to 64 KiB', async () => {
    const script = `${importing}
      process.stdout.write('x'.repeat(1024 * 1024));
      process.stderr.write('y'.repeat(1024 * 1024));
      setInterval(() => {}, 1000);
      await leave(3);
    `;
    const { stdout, stderr, code } = await runScript(script);
    expect([stdout.length, stderr.length, code]).toEqual([1024 * 1024, 1024 * 1024, 3]);
  });

  it('does not wait for a reader that is gone', async () => {
    const child = startScript(`${importing}
      process.stdout.on('error', () => {});
      process.stdin.once('data', async () => {
        process.stdout.write('x'.repeat(1024 * 1024));
        await leave(0);
      });
      process.stderr.write('up');
    `);
    await once(child.stderr as NodeJS.ReadableStream, 'data');
    child.stdout?.destroy();
    const over = outcome(child);
    child.stdin?.write('go');
    expect((await over).code).toBe(0);
  });

  it('does not wait for good for a reader that does not read', async () => {
    const child = startScript(
      `${importing}
      process.stdout.write('x'.repeat(1024 * 1024));
      await leave(0);
    `,
    );
    child.stdout?.pause();
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    child.stdout?.destroy();
  });
});
