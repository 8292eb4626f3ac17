// dumb-init (Debian's): what it is told goes to the whole session, and when the one that it has started ends, so do the others.
import { type TestContext, test } from 'vitest';
import { needs } from '../../support/needs.ts';
import { expectTold, Household } from '../../support/parent.ts';
import { Scene } from '../../support/scene.ts';
import { loggedServer } from '../../support/server-log.ts';

const needsDumbInit = (context: TestContext) => needs(context, 'dumb-init', '--version');

test('SIGTERM', async (context) => {
  needsDumbInit(context);
  await using scene = new Scene();
  const household = await Household.of(scene);
  const parent = household.run('dumb-init', ['sh', '-c', `${process.execPath} ${loggedServer}; :`]);
  const seen = await household.observe(
    () => parent.signal('SIGTERM'),
    (family) => household.log.allGone(family),
  );
  expectTold('dumb-init', 'SIGTERM', seen);
});

test('SIGHUP to the server', async (context) => {
  needsDumbInit(context);
  await using scene = new Scene();
  const household = await Household.of(scene);
  household.run('dumb-init', [process.execPath, loggedServer]);
  const seen = await household.observe(
    async () => process.kill((await household.log.ready(0)).pid, 'SIGHUP'),
    async (family) => {
      const next = await household.log.ready(1);
      await household.log.allGone({ ...family, next: next.pid });
    },
  );
  expectTold('dumb-init', 'SIGHUP to the server', seen);
});

test('SIGHUP, as "reexec"', async (context) => {
  needsDumbInit(context);
  await using scene = new Scene();
  const household = await Household.of(scene, { OPTIONS: '{"signals":{"SIGHUP":"reexec","SIGTERM":"shutdown"}}' });
  const parent = household.run('dumb-init', [process.execPath, loggedServer]);
  const seen = await household.observe(
    () => parent.signal('SIGHUP'),
    () => household.log.ready(1),
  );
  expectTold('dumb-init', 'SIGHUP, as "reexec"', seen);
});
