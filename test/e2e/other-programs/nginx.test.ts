// nginx (Debian's) as a successor, by its variable NGINX, and as a predecessor, whose "new binary" is a Node server.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { CommandRun } from '../../support/command.ts';
import { freePort } from '../../support/free-port.ts';
import { needs } from '../../support/needs.ts';
import { portOf } from '../../support/port-of.ts';
import { isAlive } from '../../support/processes.ts';
import { Program, serverProgram } from '../../support/program.ts';
import { Scene } from '../../support/scene.ts';
import { StrictLoad } from '../../support/strict-load.ts';

const needsNginx = (context: TestContext) => needs(context, 'nginx', '-v');

/** A configuration that answers at a port, and says which worker does. */
function configuration(scene: Scene, port: number, name: string, daemon: 'on' | 'off'): string {
  const folder = join(scene.folder, name);
  mkdirSync(folder);
  // Its workers belong to another user where it is started by root.
  chmodSync(scene.folder, 0o755);
  const path = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  writeFileSync(
    path,
    `daemon ${daemon};
pid ${folder}/nginx.pid;
error_log ${folder}/error.log notice;
worker_processes 1;
events {}
http {
  access_log off;
  ${temporary.join('\n  ')}
  # Idle connections are closed when nginx leaves, and nothing says so before.
  keepalive_timeout 0;
  server {
    listen 127.0.0.1:${port};
    add_header x-served-by $pid;
    location / { return 200 "hello from nginx\\n"; }
  }
}
`,
  );
  return path;
}

function nginxPath(): string {
  return execFileSync('sh', ['-c', 'command -v nginx'], { encoding: 'utf8' }).trim();
}

test('Node, nginx, another nginx, Node again, under strict load', async (context) => {
  needsNginx(context);
  await using scene = new Scene();
  const LISTENERS = '[{"name":"web","port":0,"host":"127.0.0.1"}]';
  const first = scene.server({ LISTENERS });
  const port = await portOf(first);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  let before = first;
  for (const name of ['one', 'two']) {
    const flags = ['--convention', 'nginx', '--stop-signal', 'QUIT', '--ready-when', 'http:/'];
    const command = ['nginx', '-c', configuration(scene, port, name, 'off')];
    const next = scene.add(new CommandRun(['exec', scene.control, ...flags, '--', ...command]));
    expect(await before.exited).toEqual({ code: 0, signal: null });
    const worker = (await ask({ port })).servedBy;
    expect(next.stderr).toContain('using inherited sockets from "3;"');
    await load.servedBy(worker);
    before = next;
  }
  const last = scene.server({ LISTENERS });
  expect(await last.ready(3)).toMatchObject({ listening: [{ port, inherited: true }] });
  expect(await before.exited).toEqual({ code: 0, signal: null });
  await load.servedBy(last.pid);
  console.log(`${await load.end()} requests, 0 failed`);
});

test('a Node server in the place of a new nginx, under strict load; one that fails leaves nginx as it was', async (context) => {
  needsNginx(context);
  await using scene = new Scene();
  const port = await freePort();
  const binary = join(scene.folder, 'nginx');
  copyFileSync(nginxPath(), binary);
  chmodSync(binary, 0o755);
  // One that its parent waits for refuses to be replaced.
  const path = configuration(scene, port, 'old', 'on');
  const folder = join(scene.folder, 'old');
  const starter = scene.add(new Program(binary, ['-c', path], {}));
  expect(await starter.exited).toEqual({ code: 0, signal: null });
  await expect
    .poll(() =>
      ask({ port }).then(
        ({ status }) => status,
        () => null,
      ),
    )
    .toBe(200);
  const nginx = Number(readFileSync(join(folder, 'nginx.pid'), 'utf8'));
  const worker = (await ask({ port })).servedBy;
  // What the test ends where it fails.
  starter.pids.add(nginx).add(worker);
  const load = new StrictLoad(port);
  await load.servedBy(worker);

  // nginx runs what lies where it was started from.
  replaceProgram(binary, 'exit 3');
  process.kill(nginx, 'SIGUSR2');
  await expect.poll(() => readFileSync(join(folder, 'error.log'), 'utf8')).toContain('exited with code 3');
  expect((await ask({ port })).servedBy).toBe(worker);

  // Of its environment nginx passes nothing on but TZ.
  const LISTENERS = JSON.stringify([{ port, host: '127.0.0.1' }]);
  const output = join(scene.folder, 'output');
  const variables = `CONTROL='${scene.control}' LISTENERS='${LISTENERS}'`;
  replaceProgram(binary, `${variables} exec '${process.execPath}' '${serverProgram}' >'${output}'`);
  process.kill(nginx, 'SIGUSR2');
  await expect.poll(() => existsSync(output) && readFileSync(output, 'utf8'), { timeout: 30_000 }).toContain('"ready"');
  const told = readFileSync(output, 'utf8')
    .split('\n')
    .find((line) => line.includes('"ready"')) as string;
  const server = JSON.parse(told) as { pid: number };
  starter.pids.add(server.pid);
  expect(server).toMatchObject({ generation: 0, listening: [{ port, inherited: true }] });
  process.kill(nginx, 'SIGQUIT');
  await expect.poll(() => isAlive(nginx)).toBe(false);
  await load.servedBy(server.pid);

  const last = scene.server({ LISTENERS });
  expect(await last.ready(1)).toMatchObject({ listening: [{ port, inherited: true }] });
  await load.servedBy(last.pid);
  console.log(`${await load.end()} requests, 0 failed`);
  await expect.poll(() => isAlive(server.pid)).toBe(false);
});

/** In one step: the file that runs cannot be written to. */
function replaceProgram(path: string, line: string): void {
  writeFileSync(`${path}.new`, `#!/bin/sh\n${line}\n`);
  chmodSync(`${path}.new`, 0o755);
  rmSync(path);
  renameSync(`${path}.new`, path);
}
