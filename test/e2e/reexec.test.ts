import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import type { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

async function portOf(program: Program): Promise<number> {
  const { addresses } = await program.ready(0);
  return (addresses as { port: number }[])[0]?.port as number;
}

test('reexec() keeps the pid, the port, the state and the control path', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  for (let generation = 1; generation <= 5; generation++) {
    await ask({ port }, '/admin/reexec', {});
    const ready = await program.ready(generation);
    expect(ready).toMatchObject({ pid: program.pid, counter: generation, restored: true });
    expect((await ask({ port })).servedBy).toBe(program.pid);
  }
  const next = scene.server();
  expect(await next.ready(6)).toMatchObject({ predecessor: { pid: program.pid, generation: 5 } });
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test('an exec that fails leaves the process serving, with nothing leaked', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const before = readdirSync(`/proc/${program.pid}/fd`).length;
  for (const command of ['/no/such/program', scene.folder]) {
    await ask({ port }, '/admin/reexec', { command });
    await program.event('reexec-failed', ({ message }) => String(message).includes(command));
    expect((await ask({ port })).servedBy).toBe(program.pid);
  }
  expect(program.told.filter(({ event }) => event === 'reexec-failed')).toMatchObject([
    { code: 'ERR_HANDOFF_EXEC_FAILED' },
    { code: 'ERR_HANDOFF_EXEC_FAILED' },
  ]);
  await expect.poll(() => readdirSync(`/proc/${program.pid}/fd`).length).toBeLessThanOrEqual(before);
  await ask({ port }, '/admin/reexec', {});
  await program.ready(1);
});
