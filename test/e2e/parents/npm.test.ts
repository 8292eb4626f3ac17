// npm, with bash and with dash as the shell of its scripts: dash stays between npm and the server, bash does not.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { controlC, expectTold, Household, serverLine } from '../../support/parent.ts';
import { Scene } from '../../support/scene.ts';

const shells = ['bash', 'dash'] as const;

async function project(scene: Scene, environment: Record<string, string> = {}, start = serverLine): Promise<Household> {
  writeFileSync(join(scene.folder, 'package.json'), JSON.stringify({ private: true, scripts: { start } }));
  return Household.of(scene, { npm_config_update_notifier: 'false', ...environment });
}

test.each(shells)('%s: Ctrl-C', async (shell) => {
  await using scene = new Scene();
  const household = await project(scene);
  const terminal = await household.atTerminal(`npm start --script-shell=${shell}`);
  const seen = await household.observe(
    () => terminal.child.stdin?.write(controlC),
    (family) => household.log.allGone(family),
  );
  expectTold(`npm (${shell})`, 'Ctrl-C', seen);
});

test.each(shells)('%s: the terminal is closed', async (shell) => {
  await using scene = new Scene();
  const household = await project(scene);
  const terminal = await household.atTerminal(`npm start --script-shell=${shell}`);
  const seen = await household.observe(
    () => terminal.signal('SIGKILL'),
    (family) => household.log.allGone(family),
  );
  expectTold(`npm (${shell})`, 'the terminal is closed', seen);
});

test.each(shells)('%s: SIGTERM', async (shell) => {
  await using scene = new Scene();
  const household = await project(scene);
  const npm = household.run('npm', ['start', `--script-shell=${shell}`]);
  const seen = await household.observe(
    () => npm.signal('SIGTERM'),
    async ({ parent }) => {
      await household.log.gone(parent);
    },
  );
  expectTold(`npm (${shell})`, 'SIGTERM', seen);
});

test('dash, where the script is "exec node …": the shell is not in between', async () => {
  await using scene = new Scene();
  const household = await project(scene, {}, `exec ${serverLine}`);
  const npm = household.run('npm', ['start', '--script-shell=dash']);
  const seen = await household.observe(
    () => npm.signal('SIGTERM'),
    (family) => household.log.allGone(family),
  );
  expectTold('npm (dash)', 'SIGTERM, exec node …', seen);
});

test.each(shells)('%s: SIGHUP to the server', async (shell) => {
  await using scene = new Scene();
  const household = await project(scene);
  await household.atTerminal(`npm start --script-shell=${shell}`);
  const seen = await household.observe(
    async () => process.kill((await household.log.ready(0)).pid, 'SIGHUP'),
    async (family) => {
      await household.log.ready(1);
      await household.log.allGone(family);
    },
  );
  expectTold(`npm (${shell})`, 'SIGHUP to the server', seen);
});

test.each(shells)('%s: SIGHUP to the server, as "reexec"', async (shell) => {
  await using scene = new Scene();
  const household = await project(scene, { OPTIONS: '{"signals":{"SIGHUP":"reexec","SIGINT":"shutdown"}}' });
  await household.atTerminal(`npm start --script-shell=${shell}`);
  const seen = await household.observe(
    async () => process.kill((await household.log.ready(0)).pid, 'SIGHUP'),
    () => household.log.ready(1),
  );
  expectTold(`npm (${shell})`, 'SIGHUP to the server, as "reexec"', seen);
});

test.each(shells)('%s: the script once more', async (shell) => {
  await using scene = new Scene();
  const household = await project(scene);
  const npm = household.run('npm', ['start', `--script-shell=${shell}`]);
  const seen = await household.observe(
    () => household.run('npm', ['start', `--script-shell=${shell}`]),
    async (family) => {
      await household.log.ready(1);
      await household.log.allGone(family);
      expect(await npm.exited).toEqual({ code: 0, signal: null });
    },
  );
  expectTold(`npm (${shell})`, 'npm start once more', { ...seen, left: 'a server of the parent' });
  const next = await household.log.ready(1);
  expect((await ask({ port: household.port })).servedBy).toBe(next.pid);
});
