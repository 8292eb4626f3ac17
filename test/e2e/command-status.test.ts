import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { askStatus } from '../support/ask-status.ts';
import { outcome } from '../support/child-script.ts';
import { CommandRun, commandFile, runCommand } from '../support/command.ts';
import { ControlStub } from '../support/control-stub.ts';
import { portOf } from '../support/port-of.ts';
import { Program, serverProgram } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const asRoot = process.getuid?.() === 0;
const nobody = 65_534;

test('a table of the process and its listeners, or all that it tells as JSON', async () => {
  await using scene = new Scene();
  const program = scene.server({ LISTENERS: '[{"name":"web","port":0,"host":"127.0.0.1"}]' });
  const port = await portOf(program);
  const table = await runCommand(['status', scene.control]);
  expect(table).toMatchObject({ stderr: '', code: 0 });
  const [titles, row, ...rest] = table.stdout.trimEnd().split('\n');
  expect(titles?.split(/ {2,}/)).toEqual(['name', 'address', 'generation', 'pid', 'uptime', 'connections', 'phase']);
  expect(row?.split(/ {2,}/)).toEqual([
    'web',
    `127.0.0.1:${port}`,
    '0',
    String(program.pid),
    expect.stringMatching(/^\d+[ms]/),
    '0',
    'serving',
  ]);
  expect(rest).toEqual([]);
  const json = await runCommand(['status', '--json', scene.control]);
  const { uptime: _, memory: __, ...lasting } = await askStatus(scene.control);
  expect(JSON.parse(json.stdout)).toMatchObject(lasting);
});

test('--watch shows the next process in place of the first, goes on while nobody is there, and ends with Ctrl-C', async () => {
  await using scene = new Scene();
  const first = scene.server();
  await first.ready(0);
  const watching = scene.add(new CommandRun(['status', scene.control, '--watch', '--json', '--interval', '0.05']));
  await watching.output(`"pid":${first.pid},"generation":0`);
  first.signal('SIGHUP');
  const { pid } = await first.ready(1);
  await watching.output(`"pid":${pid},"generation":1`);
  process.kill(pid, 'SIGTERM');
  await watching.output('"error":{"code":"ENOENT"');
  const next = scene.server();
  await next.ready(0);
  await watching.output(`"pid":${next.pid},"generation":0`);
  watching.signal('SIGINT');
  expect(await watching.exited).toEqual({ code: 0, signal: null });
  expect(watching.stderr).toBe('');
});

test('--watch draws in place on a terminal', async () => {
  await using scene = new Scene();
  const program = scene.server();
  await program.ready(0);
  const watching = scene.add(
    new CommandRun(['status', scene.control, '--watch', '--interval', '0.05'], { terminal: true }),
  );
  await watching.output('\u001b[1;1H\u001b[0J');
  await watching.output('serving', 3);
});

test('who cannot be asked is one sentence and an exit code', async () => {
  await using scene = new Scene();
  const missing = await runCommand(['status', `${scene.folder}/missing.sock`]);
  expect(missing).toMatchObject({ stdout: '', code: 3 });
  expect(missing.stderr).toMatch(/^fd-handoff: ENOENT: There is no control socket at .*missing\.sock: .*\?\n$/);

  const program = scene.server();
  await program.ready(0);
  program.signal('SIGSTOP');
  const stopped = await runCommand(['status', scene.control, '--timeout', '0.2']);
  expect(stopped).toMatchObject({ stdout: '', code: 6 });
  expect(stopped.stderr).toMatch(/^fd-handoff: ERR_HANDOFF_TIMEOUT: .* within 200 ms\.\n$/);
  program.signal('SIGKILL');
  await program.exited;
  const stale = await runCommand(['status', scene.control]);
  expect(stale).toMatchObject({ stdout: '', code: 3 });
  expect(stale.stderr).toMatch(/^fd-handoff: ECONNREFUSED: Nobody listens on /);

  rmSync(scene.control);
  const payload = { code: 'ERR_HANDOFF_VERSION', message: 'Update the older one.' };
  const newer = await ControlStub.answering(scene.control, ['REFUSED', payload]);
  expect(await runCommand(['status', scene.control])).toMatchObject({
    stderr: 'fd-handoff: ERR_HANDOFF_VERSION: Update the older one.\n',
    code: 5,
  });
  await newer[Symbol.asyncDispose]();
});

test("another user's process is not asked, and another user is not answered", { skip: !asRoot }, async () => {
  await using scene = new Scene();
  const runAs = (uid: number, args: readonly string[]) =>
    outcome(new Program('setpriv', ['--reuid', String(uid), '--clear-groups', ...args], {}).child);
  const command = [process.execPath, commandFile, 'status'];

  chmodSync(scene.folder, 0o755);
  const ours = scene.server();
  await ours.ready(0);
  expect(await runAs(nobody, [...command, scene.control])).toMatchObject({
    stderr: expect.stringMatching(/^fd-handoff: EACCES: User 65534 may not connect to .* the socket belongs to user 0/),
    code: 4,
  });
  chmodSync(scene.control, 0o666);
  expect(await runAs(nobody, [...command, scene.control])).toMatchObject({
    stderr: expect.stringMatching(/^fd-handoff: ERR_HANDOFF_UNTRUSTED_PEER: /),
    code: 4,
  });

  const folder = `${scene.folder}/theirs`;
  mkdirSync(folder);
  chownSync(folder, nobody, nobody);
  const CONTROL = `${folder}/control.sock`;
  const theirs = scene.add(
    new Program('setpriv', ['--reuid', String(nobody), '--clear-groups', process.execPath, serverProgram], { CONTROL }),
  );
  const port = await portOf(theirs);
  chmodSync(CONTROL, 0o666);
  expect(await runAs(65_533, [...command, CONTROL])).toMatchObject({
    stderr: expect.stringMatching(/^fd-handoff: ERR_HANDOFF_UNTRUSTED_PEER: Process \d+ of user 65534 /),
    code: 4,
  });
  // Root may ask everybody.
  expect(await runCommand(['status', CONTROL])).toMatchObject({ code: 0, stderr: '' });
  expect((await ask({ port })).servedBy).toBe(theirs.pid);
});
