// supervisord (Debian's): watches the process that it has started, and starts another when that ends, or not.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type TestContext, test } from 'vitest';
import { needs } from '../../support/needs.ts';
import { root } from '../../support/packed.ts';
import { expectTold, Household, serverLine } from '../../support/parent.ts';
import type { Program } from '../../support/program.ts';
import { Scene } from '../../support/scene.ts';

/** What of the file is replaced by what. */
type Change = Readonly<Record<string, string>>;

const run = promisify(execFile);

const needsSupervisor = (context: TestContext) => needs(context, 'supervisord', '--version');

/** The file of the guide, with the paths of this test. */
function documented(folder: string, command: string): string {
  const text = readFileSync(join(root, 'docs', 'parents', 'supervisord.conf'), 'utf8');
  return text
    .replace('command=/usr/bin/node /srv/app/server.js', `command=${command}`)
    .replace('directory=/srv/app', `directory=${folder}`);
}

class Supervisor {
  readonly program: Program;
  readonly #file: string;

  constructor(scene: Scene, household: Household, change: Change = {}, command = serverLine) {
    this.#file = join(scene.folder, 'supervisord.conf');
    const socket = join(scene.folder, 'supervisor.sock');
    writeFileSync(
      this.#file,
      [
        '[supervisord]',
        'nodaemon=true',
        'user=%(ENV_RUNNER)s',
        `logfile=${join(scene.folder, 'supervisord.log')}`,
        `pidfile=${join(scene.folder, 'supervisord.pid')}`,
        '[unix_http_server]',
        `file=${socket}`,
        '[rpcinterface:supervisor]',
        'supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface',
        '[supervisorctl]',
        `serverurl=unix://${socket}`,
        Object.entries(change).reduce(
          (text, [before, after]) => text.replace(before, after),
          documented(scene.folder, command),
        ),
      ].join('\n'),
    );
    this.program = household.run('supervisord', ['-c', this.#file], { RUNNER: String(process.getuid?.()) });
  }

  async tell(...words: readonly string[]): Promise<void> {
    await run('supervisorctl', ['-c', this.#file, ...words]);
  }
}

/** As without the line. */
const unwatched = { 'autorestart=true\n': '' };

test('supervisorctl stop', async (context) => {
  needsSupervisor(context);
  await using scene = new Scene();
  const household = await Household.of(scene);
  const supervisor = new Supervisor(scene, household);
  let stopping: Promise<void> = Promise.resolve();
  const seen = await household.observe(
    () => {
      // Returns when it has ended.
      stopping = supervisor.tell('stop', 'app');
    },
    () => stopping,
  );
  expectTold('supervisord', 'supervisorctl stop', seen);
});

test('SIGTERM to supervisord, with a stop of the whole group', async (context) => {
  needsSupervisor(context);
  await using scene = new Scene();
  const household = await Household.of(scene);
  const supervisor = new Supervisor(scene, household, {
    'stopwaitsecs=45': 'stopwaitsecs=45\nstopasgroup=true\nkillasgroup=true',
  });
  const seen = await household.observe(
    () => supervisor.program.signal('SIGTERM'),
    (family) => household.log.allGone(family),
  );
  expectTold('supervisord', 'SIGTERM, stopasgroup=true', seen);
});

test('supervisorctl restart', async (context) => {
  needsSupervisor(context);
  await using scene = new Scene();
  const household = await Household.of(scene);
  const supervisor = new Supervisor(scene, household);
  let restarting: Promise<void> = Promise.resolve();
  const seen = await household.observe(
    () => {
      restarting = supervisor.tell('restart', 'app');
    },
    async ({ server }) => {
      await restarting;
      await household.log.event('ready', ({ pid }) => pid !== server);
    },
  );
  expectTold('supervisord', 'supervisorctl restart', seen);
});

test('supervisorctl signal HUP: what was started has ended, as it should, and the successor is nobody’s', async (context) => {
  needsSupervisor(context);
  await using scene = new Scene();
  const household = await Household.of(scene);
  const supervisor = new Supervisor(scene, household, unwatched);
  const seen = await household.observe(
    () => supervisor.tell('signal', 'HUP', 'app'),
    async ({ server }) => {
      await household.log.ready(1);
      await household.log.gone(server);
    },
  );
  expectTold('supervisord', 'signal HUP', seen);
});

test('supervisorctl signal HUP, autorestart=true: it starts another one, which takes over from the successor', async (context) => {
  needsSupervisor(context);
  await using scene = new Scene();
  const household = await Household.of(scene);
  const supervisor = new Supervisor(scene, household);
  const seen = await household.observe(
    () => supervisor.tell('signal', 'HUP', 'app'),
    async ({ server }) => {
      const successor = await household.log.ready(1);
      await household.log.gone(server);
      await household.log.ready(2);
      await household.log.gone(successor.pid);
    },
  );
  expectTold('supervisord', 'signal HUP, autorestart=true', seen);
});

test('supervisorctl signal HUP, as "reexec"', async (context) => {
  needsSupervisor(context);
  await using scene = new Scene();
  const household = await Household.of(scene, { OPTIONS: '{"signals":{"SIGHUP":"reexec","SIGTERM":"shutdown"}}' });
  const supervisor = new Supervisor(scene, household);
  const seen = await household.observe(
    () => supervisor.tell('signal', 'HUP', 'app'),
    () => household.log.ready(1),
  );
  expectTold('supervisord', 'signal HUP, as "reexec"', seen);
});

test('pidproxy: it passes signals on to whom the PID file names, and ends when its own child has', async (context) => {
  needsSupervisor(context);
  await using scene = new Scene();
  const pidFile = join(scene.folder, 'app.pid');
  const household = await Household.of(scene, { OPTIONS: JSON.stringify({ pidFile }) });
  const supervisor = new Supervisor(scene, household, unwatched, `pidproxy ${pidFile} ${serverLine}`);
  const seen = await household.observe(
    () => supervisor.tell('signal', 'HUP', 'app'),
    async ({ server }) => {
      await household.log.ready(1);
      await household.log.gone(server);
    },
  );
  expectTold('supervisord', 'signal HUP, behind pidproxy', seen);
});
