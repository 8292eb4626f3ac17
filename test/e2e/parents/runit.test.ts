// runit (Debian's): starts what is in its folder again whenever it ends.
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type TestContext, test } from 'vitest';
import { needs } from '../../support/needs.ts';
import { root } from '../../support/packed.ts';
import { expectTold, Household, serverLine } from '../../support/parent.ts';
import type { Program } from '../../support/program.ts';
import { Scene } from '../../support/scene.ts';

const run = promisify(execFile);

/** A service by the script of the guide, with the paths of this test. */
class Service {
  readonly runsv: Program;
  readonly #folder: string;

  constructor(scene: Scene, household: Household) {
    this.#folder = join(scene.folder, 'app');
    mkdirSync(this.#folder);
    const file = join(this.#folder, 'run');
    const script = readFileSync(join(root, 'docs', 'parents', 'runit-run'), 'utf8')
      .replace('/usr/bin/node /srv/app/server.js', serverLine)
      .replace('/srv/app', scene.folder);
    writeFileSync(file, script);
    chmodSync(file, 0o755);
    this.runsv = household.run('runsv', [this.#folder]);
  }

  async tell(...words: readonly string[]): Promise<void> {
    await run('sv', [...words, this.#folder]);
  }
}

async function started(context: TestContext, scene: Scene, environment: Record<string, string> = {}) {
  needs(context, 'sh', '-c', 'command -v runsv && command -v sv');
  const household = await Household.of(scene, environment);
  return { household, service: new Service(scene, household) };
}

test('sv stop', async (context) => {
  await using scene = new Scene();
  const { household, service } = await started(context, scene);
  const seen = await household.observe(
    () => service.tell('-w', '0', 'down').catch(() => {}),
    ({ server }) => household.log.gone(server),
  );
  expectTold('runit', 'sv down', seen);
});

test('SIGTERM to runsv', async (context) => {
  await using scene = new Scene();
  const { household, service } = await started(context, scene);
  const seen = await household.observe(
    () => service.runsv.signal('SIGTERM'),
    (family) => household.log.allGone(family),
  );
  expectTold('runit', 'SIGTERM to runsv', seen);
});

test('sv restart', async (context) => {
  await using scene = new Scene();
  const { household, service } = await started(context, scene);
  let restarting: Promise<void> = Promise.resolve();
  const seen = await household.observe(
    () => {
      restarting = service.tell('-w', '30', 'restart');
    },
    async ({ server }) => {
      await restarting;
      await household.log.event('ready', ({ pid }) => pid !== server);
    },
  );
  expectTold('runit', 'sv restart', seen);
});

test('sv hup: it starts another one, which takes over from the successor', async (context) => {
  await using scene = new Scene();
  const { household, service } = await started(context, scene);
  const seen = await household.observe(
    () => service.tell('hup'),
    async ({ server }) => {
      const successor = await household.log.ready(1);
      await household.log.gone(server);
      await household.log.ready(2);
      await household.log.gone(successor.pid);
    },
  );
  expectTold('runit', 'sv hup', seen);
});

test('sv hup, as "reexec"', async (context) => {
  await using scene = new Scene();
  const OPTIONS = '{"signals":{"SIGHUP":"reexec","SIGTERM":"shutdown"}}';
  const { household, service } = await started(context, scene, { OPTIONS });
  const seen = await household.observe(
    () => service.tell('hup'),
    () => household.log.ready(1),
  );
  expectTold('runit', 'sv hup, as "reexec"', seen);
});
