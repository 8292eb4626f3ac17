// nodemon, from npm: ends the program by SIGUSR2, or another signal, waits for its end, and starts it again.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { controlC, expectTold, Household } from '../../support/parent.ts';
import { peerFile } from '../../support/peer-packages.ts';
import { Scene } from '../../support/scene.ts';
import { loggedServer } from '../../support/server-log.ts';

const words = (context: TestContext, ...flags: readonly string[]) => [
  peerFile(context, 'nodemon/bin/nodemon.js'),
  '--watch',
  'watched.js',
  ...flags,
  loggedServer,
];

async function project(scene: Scene): Promise<Household> {
  writeFileSync(join(scene.folder, 'watched.js'), '');
  return Household.of(scene);
}

test('Ctrl-C', async (context) => {
  await using scene = new Scene();
  const household = await project(scene);
  const line = [process.execPath, ...words(context)].map((word) => `'${word}'`).join(' ');
  const terminal = await household.atTerminal(line);
  const seen = await household.observe(
    () => terminal.child.stdin?.write(controlC),
    (family) => household.log.allGone(family),
  );
  expectTold('nodemon', 'Ctrl-C', seen);
});

test.for([
  ['the terminal is closed', []],
  ['the terminal is closed, --signal SIGTERM', ['--signal', 'SIGTERM']],
] as const)('%s', async ([order, flags], context) => {
  await using scene = new Scene();
  const household = await project(scene);
  const line = [process.execPath, ...words(context, ...flags)].map((word) => `'${word}'`).join(' ');
  const terminal = await household.atTerminal(line);
  const seen = await household.observe(
    () => terminal.signal('SIGKILL'),
    (family) => household.log.allGone(family),
  );
  expectTold('nodemon', order, seen);
});

test('SIGTERM', async (context) => {
  await using scene = new Scene();
  const household = await project(scene);
  const parent = household.run(process.execPath, words(context));
  const seen = await household.observe(
    () => parent.signal('SIGTERM'),
    ({ parent }) => household.log.gone(parent),
  );
  expectTold('nodemon', 'SIGTERM', seen);
});

test.for([
  ['a file changes', []],
  ['a file changes, --signal SIGTERM', ['--signal', 'SIGTERM']],
] as const)('%s', async ([order, flags], context) => {
  await using scene = new Scene();
  const household = await project(scene);
  household.run(process.execPath, words(context, ...flags));
  const seen = await household.observe(
    () => writeFileSync(join(scene.folder, 'watched.js'), '// changed\n'),
    () => household.log.event('ready', ({ pid }) => pid !== household.log.started[0]),
  );
  expectTold('nodemon', order, seen);
});

test('a file changes, --signal SIGHUP', async (context) => {
  await using scene = new Scene();
  const household = await project(scene);
  household.run(process.execPath, words(context, '--signal', 'SIGHUP'));
  const seen = await household.observe(
    () => writeFileSync(join(scene.folder, 'watched.js'), '// changed\n'),
    async ({ server }) => {
      await household.log.gone(server);
      await household.log.ready(2);
      await household.log.gone((await household.log.ready(1)).pid);
    },
  );
  expectTold('nodemon', 'a file changes, --signal SIGHUP', seen);
});

test('a file changes, --signal SIGHUP, and the new version does not start: the old one serves on until one does', async (context) => {
  await using scene = new Scene();
  const household = await Household.of(scene);
  const file = join(scene.folder, 'server.mjs');
  const whole = `await import(${JSON.stringify(loggedServer)});`;
  writeFileSync(file, whole);
  household.run(process.execPath, [peerFile(context, 'nodemon/bin/nodemon.js'), '--signal', 'SIGHUP', file]);
  const { pid, port } = await household.log.ready(0);
  writeFileSync(file, 'throw new Error("a slip");');
  expect(await household.log.event('error')).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
  expect((await ask({ port })).servedBy).toBe(pid);
  writeFileSync(file, `${whole} // mended`);
  await household.log.gone(pid);
  await household.log.ready(2);
});

test('SIGHUP to the server', async (context) => {
  await using scene = new Scene();
  const household = await project(scene);
  household.run(process.execPath, words(context));
  const seen = await household.observe(
    async () => process.kill((await household.log.ready(0)).pid, 'SIGHUP'),
    async ({ server }) => {
      await household.log.ready(1);
      await household.log.gone(server);
    },
  );
  expectTold('nodemon', 'SIGHUP to the server', seen);
});
