import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

const file = fileURLToPath(new URL('programs/threads.js', import.meta.url));

test('a worker thread hands over to another, nothing fails, and the process lives on; signals and a re-exec are refused', async () => {
  await using scene = new Scene();
  const program = scene.add(new Program(process.execPath, [file], { CONTROL: scene.control }));
  const first = await program.ready(0);
  expect(first).toMatchObject({
    refused: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
    reexec: 'ERR_HANDOFF_EXEC_FAILED',
  });
  const load = new StrictLoad((first.addresses as { port: number }[])[0]?.port as number);
  await load.servedBy(first.thread as number);
  program.signal('SIGUSR2');
  const second = await program.ready(1);
  await load.servedBy(second.thread as number);
  expect(await program.event('thread-gone')).toMatchObject({ code: 0 });
  expect(isAlive(program.pid)).toBe(true);
  expect(await load.end()).toBeGreaterThan(50);
});
