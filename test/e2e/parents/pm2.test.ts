// PM2, from npm: a daemon of its own, which knows a program by its PID.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, type TestContext, test } from 'vitest';
import { controlC, expectTold, Household } from '../../support/parent.ts';
import { peerPackages } from '../../support/peer-packages.ts';
import { Scene } from '../../support/scene.ts';
import { loggedServer } from '../../support/server-log.ts';

const run = promisify(execFile);

/** A PM2 whose daemon and files are this test's. */
class ProcessManager implements AsyncDisposable {
  readonly environment: NodeJS.ProcessEnv;
  readonly #bin: string;

  constructor(context: TestContext, scene: Scene, household: Household) {
    this.#bin = join(peerPackages(context), 'node_modules', 'pm2', 'bin');
    const own = { PM2_HOME: join(scene.folder, 'pm2'), PM2_DISCRETE_MODE: 'true', PM2_LOG_LEVEL: 'error' };
    this.environment = { ...process.env, ...household.environment, ...own };
  }

  async tell(...words: readonly string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [join(this.#bin, 'pm2'), ...words], { env: this.environment });
    return stdout;
  }

  async start(...flags: readonly string[]): Promise<void> {
    await this.tell('start', loggedServer, '--name', 'app', '--kill-timeout', '40000', ...flags);
  }

  get runtime(): string {
    return `'${process.execPath}' '${join(this.#bin, 'pm2-runtime')}' '${loggedServer}'`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tell('kill');
  }
}

let scene: Scene;

afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

async function started(context: TestContext, flags: readonly string[] = [], environment: Record<string, string> = {}) {
  scene = new Scene();
  const household = await Household.of(scene, environment);
  const pm2 = new ProcessManager(context, scene, household);
  await pm2.start(...flags);
  return { household, pm2 };
}

test('pm2 stop', async (context) => {
  const { household, pm2 } = await started(context);
  await using _ = pm2;
  const seen = await household.observe(
    () => void pm2.tell('stop', 'app'),
    ({ server }) => household.log.gone(server),
  );
  expectTold('PM2', 'pm2 stop', seen);
});

test.for(['pm2 restart', 'pm2 reload'])('%s', async (order, context) => {
  const { household, pm2 } = await started(context);
  await using _ = pm2;
  const seen = await household.observe(
    () => void pm2.tell(...order.split(' ').slice(1), 'app'),
    async ({ server }) => {
      await household.log.event('ready', ({ pid }) => pid !== server);
      await household.log.gone(server);
    },
  );
  expectTold('PM2', order, seen);
});

test('pm2 sendSignal SIGHUP', async (context) => {
  const { household, pm2 } = await started(context, ['--stop-exit-codes', '0']);
  await using _ = pm2;
  const seen = await household.observe(
    () => pm2.tell('sendSignal', 'SIGHUP', 'app'),
    async ({ server }) => {
      await household.log.ready(1);
      await household.log.gone(server);
    },
  );
  expectTold('PM2', 'sendSignal SIGHUP, --stop-exit-codes 0', seen);
});

test('pm2 sendSignal SIGHUP without --stop-exit-codes: PM2 starts another one, which takes over from the successor', async (context) => {
  const { household, pm2 } = await started(context);
  await using _ = pm2;
  const seen = await household.observe(
    () => pm2.tell('sendSignal', 'SIGHUP', 'app'),
    async ({ server }) => {
      const successor = await household.log.ready(1);
      await household.log.gone(server);
      await household.log.ready(2);
      await household.log.gone(successor.pid);
    },
  );
  expectTold('PM2', 'sendSignal SIGHUP', seen);
});

test('pm2 sendSignal SIGHUP, as "reexec"', async (context) => {
  const OPTIONS = '{"signals":{"SIGHUP":"reexec","SIGTERM":"shutdown","SIGINT":"shutdown"}}';
  const { household, pm2 } = await started(context, [], { OPTIONS });
  await using _ = pm2;
  const seen = await household.observe(
    () => pm2.tell('sendSignal', 'SIGHUP', 'app'),
    () => household.log.ready(1),
  );
  expectTold('PM2', 'sendSignal SIGHUP, as "reexec"', seen);
});

test('pm2-runtime: Ctrl-C', async (context) => {
  scene = new Scene();
  const household = await Household.of(scene);
  const pm2 = new ProcessManager(context, scene, household);
  const terminal = await household.atTerminal(pm2.runtime, {
    PM2_HOME: join(scene.folder, 'pm2'),
    PM2_KILL_TIMEOUT: '40000',
  });
  const seen = await household.observe(
    () => terminal.child.stdin?.write(controlC),
    (family) => household.log.allGone(family),
  );
  expectTold('PM2', 'Ctrl-C to pm2-runtime', seen);
});

test('cluster mode: the listeners would be PM2’s own', async (context) => {
  const { household, pm2 } = await started(context, ['-i', '1', '--no-autorestart']);
  await using _ = pm2;
  await household.log.event('refused');
  expect(household.log.of('refused')[0]).toMatchObject({ code: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM' });
});
