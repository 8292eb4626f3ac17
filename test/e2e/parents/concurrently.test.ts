// concurrently, from npm: passes on what it is told, also to those that the terminal has told already.
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { controlC, expectTold, Household, serverLine } from '../../support/parent.ts';
import { peerPackages } from '../../support/peer-packages.ts';
import { Scene } from '../../support/scene.ts';

const words = (context: TestContext) => [
  join(peerPackages(context), 'node_modules/concurrently/dist/bin/concurrently.js'),
  '--raw',
  serverLine,
];

const quoted = (context: TestContext) => [process.execPath, ...words(context)].map((word) => `'${word}'`).join(' ');

test('Ctrl-C', async (context) => {
  await using scene = new Scene();
  const household = await Household.of(scene);
  const terminal = await household.atTerminal(quoted(context));
  const seen = await household.observe(
    () => terminal.child.stdin?.write(controlC),
    (family) => household.log.allGone(family),
  );
  expectTold('concurrently', 'Ctrl-C', seen);
});

test('the terminal is closed', async (context) => {
  await using scene = new Scene();
  const household = await Household.of(scene);
  const terminal = await household.atTerminal(quoted(context));
  const seen = await household.observe(
    () => terminal.signal('SIGKILL'),
    (family) => household.log.allGone(family),
  );
  expectTold('concurrently', 'the terminal is closed', seen);
});

test('SIGTERM', async (context) => {
  await using scene = new Scene();
  const household = await Household.of(scene);
  const parent = household.run(process.execPath, words(context));
  const seen = await household.observe(
    () => parent.signal('SIGTERM'),
    (family) => household.log.allGone(family),
  );
  expectTold('concurrently', 'SIGTERM', seen);
});

test('SIGHUP to the server', async (context) => {
  await using scene = new Scene();
  const household = await Household.of(scene);
  const parent = household.run(process.execPath, words(context));
  const seen = await household.observe(
    async () => process.kill((await household.log.ready(0)).pid, 'SIGHUP'),
    async ({ server }) => {
      await household.log.ready(1);
      await household.log.gone(server);
      expect((await parent.exited).code).toBe(0);
    },
  );
  expectTold('concurrently', 'SIGHUP to the server', seen);
});
