import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import { Scene } from '../support/scene.ts';

/** Serves on descriptor 3 without the library, tells its environment, and says that it is ready. */
const program = `
const http = require('node:http'), fs = require('node:fs');
http.createServer((request, response) => {
  response.setHeader('x-served-by', process.pid);
  response.end('a program');
}).listen({ fd: 3 }, () => {
  const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID, FD_HANDOFF_READY_FD } = process.env;
  console.log(JSON.stringify({ event: 'program', pid: process.pid, LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID }));
  fs.writeSync(Number(FD_HANDOFF_READY_FD), 'serving\\n');
  fs.closeSync(Number(FD_HANDOFF_READY_FD));
});
`;

test('a program without this library succeeds by LISTEN_FDS and one line on its ready descriptor', async () => {
  await using scene = new Scene();
  const first = scene.server({ LISTENERS: '[{"name":"web","port":0},{"name":"admin","port":0}]' });
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {
    command: process.execPath,
    args: ['-e', program],
  });
  const told = await first.event('program');
  expect(told).toMatchObject({ pid, LISTEN_FDS: '2', LISTEN_FDNAMES: 'web:admin', LISTEN_PID: String(pid) });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(await ask({ port })).toMatchObject({ servedBy: pid, text: 'a program' });
});

test('such a program that fails, or is not there, leaves the service as it was', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  mkdirSync(`${scene.folder}/folder`);
  for (const [command, code, exitCode] of [
    ['false', 'ERR_HANDOFF_SUCCESSOR_EXITED', 1],
    ['no-such-program-anywhere', 'ERR_HANDOFF_EXEC_FAILED', undefined],
    [`${scene.folder}/folder`, 'ERR_HANDOFF_EXEC_FAILED', undefined],
  ] as const) {
    const error = await askJson<{ code: string; exitCode?: number }>({ port }, '/admin/upgrade', { command, args: [] });
    expect({ command, code: error.code, exitCode: error.exitCode }).toEqual({ command, code, exitCode });
    expect((await ask({ port })).servedBy).toBe(first.pid);
  }
});

test('such a program that dies while the predecessor drains: the predecessor serves again', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const slow = ask({ port }, '/?until=give-back&wait=300');
  await first.event('began');
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {
    command: process.execPath,
    args: ['-e', program],
  });
  process.kill(pid, 'SIGKILL');
  await first.event('give-back');
  expect((await ask({ port })).servedBy).toBe(first.pid);
  expect((await slow).servedBy).toBe(first.pid);
});

test('a program with this library that is given as a command uses its channel, and holds nothing twice', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const { open } = await askJson<{ open: number }>({ port }, '/admin/descriptors');
  const { serverProgram } = await import('../support/program.ts');
  await askJson({ port }, '/admin/upgrade', { command: process.execPath, args: [serverProgram] });
  expect(await first.ready(1)).toMatchObject({ restored: true });
  await first.exited;
  await expect.poll(async () => (await askJson<{ open: number }>({ port }, '/admin/descriptors')).open).toBe(open);
});
