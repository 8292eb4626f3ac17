// s6 (Debian's): its supervisor learns from this command that a program is ready, and a program of its own says so to this
// command. Both by a notification descriptor.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { commandFile } from '../../support/command.ts';
import { needs } from '../../support/needs.ts';
import { plainServer, servingPid } from '../../support/plain-server.ts';
import { portOf } from '../../support/port-of.ts';
import { Program } from '../../support/program.ts';
import { Scene } from '../../support/scene.ts';

const needsS6 = (context: TestContext) => needs(context, 's6-setsid', 'true');

function script(path: string, ...lines: readonly string[]): void {
  writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`);
  chmodSync(path, 0o755);
}

/** A service that s6-supervise runs, whose readiness is told on descriptor 3; `words` are what this command is told. */
class SupervisedService {
  readonly folder: string;

  constructor(scene: Scene) {
    this.folder = join(scene.folder, 'service');
    mkdirSync(this.folder);
    writeFileSync(join(this.folder, 'notification-fd'), '3\n');
  }

  runs(words: readonly string[], variables = ''): void {
    const command = [process.execPath, commandFile, ...words].map((word) => `'${word}'`);
    script(join(this.folder, 'run'), `${variables} exec ${command.join(' ')}`);
  }

  supervise(scene: Scene): Program {
    return scene.add(new Program('s6-supervise', [this.folder], { BEHAVIOUR: 'silent' }));
  }

  get isUp(): boolean {
    return this.#state('up');
  }

  get isReady(): boolean {
    return this.#state('ready');
  }

  /** Tells the supervisor something, and waits until it is so. */
  tell(command: string, awaited: string): void {
    execFileSync('s6-svc', [`-${command}`, `-w${awaited}`, '-T', '20000', this.folder]);
  }

  #state(what: 'up' | 'ready'): boolean {
    return execFileSync('s6-svstat', ['-o', what, this.folder], { encoding: 'utf8' }).trim() === 'true';
  }
}

test('a supervised command is up when its program is ready, and not before', async (context) => {
  needsS6(context);
  await using scene = new Scene();
  const service = new SupervisedService(scene);
  const words = ['listen', '127.0.0.1:0', '--notify-fd', '3', '--', ...plainServer];
  service.runs(words);
  const supervisor = service.supervise(scene);
  await servingPid(supervisor);
  // It serves, and has not said so.
  expect([service.isUp, service.isReady]).toEqual([true, false]);
  service.tell('d', 'D');

  service.runs(words, 'BEHAVIOUR=ready-fd');
  service.tell('u', 'U');
  expect([service.isUp, service.isReady]).toEqual([true, true]);
  service.tell('dx', 'D');
  expect(await supervisor.exited).toEqual({ code: 0, signal: null });
});

test('a program that says it on a descriptor of its own choice: s6-notifyoncheck', async (context) => {
  needsS6(context);
  await using scene = new Scene();
  const first = scene.server({ LISTENERS: '[{"port":0,"host":"127.0.0.1"}]' });
  const port = await portOf(first);
  const service = new SupervisedService(scene);
  const serving = join(scene.folder, 'serving');
  mkdirSync(join(service.folder, 'data'));
  script(join(service.folder, 'data', 'check'), `test -e '${serving}'`);
  const program = ['s6-notifyoncheck', '-s', '10', '-w', '50', '-n', '0', '-3', '9', ...plainServer];
  service.runs(['exec', scene.control, '--ready-fd', '9', '--notify-fd', '3', '--', ...program]);
  const supervisor = service.supervise(scene);
  const pid = await servingPid(supervisor);
  expect(service.isReady).toBe(false);
  expect(first.told.some(({ event }) => event === 'commit')).toBe(false);
  writeFileSync(serving, '');
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(pid);
  await expect.poll(() => service.isReady).toBe(true);
  service.tell('dx', 'D');
  expect(await supervisor.exited).toEqual({ code: 0, signal: null });
});
