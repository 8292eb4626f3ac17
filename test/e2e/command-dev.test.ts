import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { askStatus } from '../support/ask-status.ts';
import { ChatClient } from '../support/chat-client.ts';
import { CommandRun } from '../support/command.ts';
import { Project } from '../support/documented-program.ts';
import { eventually } from '../support/eventually.ts';
import { HeldRequest } from '../support/held-request.ts';
import { insist } from '../support/insist.ts';
import { needs } from '../support/needs.ts';
import { plainServer } from '../support/plain-server.ts';
import { isAlive } from '../support/processes.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';
import { serverOf } from '../support/versioned-server.ts';

const options = '{}';
const hang = `tell('hanging'); setInterval(() => {}, 1000); await new Promise(() => {});`;

/** Somebody who develops a server. */
class Development {
  readonly run: CommandRun;
  readonly #project: Project;

  constructor(
    scene: Scene,
    text: string,
    {
      flags = [],
      program = ['node', 'server.js'],
      terminal = false,
    }: { flags?: readonly string[]; program?: readonly string[]; terminal?: boolean } = {},
  ) {
    this.#project = new Project(scene);
    this.#project.write('server.js', text);
    this.run = scene.add(new CommandRun(['dev', ...flags, '--', ...program], { folder: scene.folder, terminal }));
  }

  save(text: string, name = 'server.js'): void {
    this.#project.write(name, text);
  }

  /** Resolves when that version is ready. */
  async serves(version: string): Promise<{ pid: number; port: number; generation: number }> {
    const told = await this.run.event('ready', (line) => line.version === version);
    const [{ port }] = told.addresses as [{ port: number }];
    return { pid: told.pid, port, generation: told.generation as number };
  }

  /** Resolves when the first version is seen to serve. */
  async begun(): Promise<{ pid: number; port: number }> {
    const serving = await this.serves('one');
    await this.run.errors(`process ${serving.pid} serves`);
    return serving;
  }

  get control(): string {
    return /control path (\S+);/.exec(this.run.stderr)?.[1] as string;
  }
}

test('a saved file is served, under strict load, by version after version; Ctrl-C ends all of it', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }));
  const { pid, port } = await development.begun();
  const load = new StrictLoad(port);
  await load.servedBy(pid);
  let last = pid;
  for (const version of ['two', 'three', 'four']) {
    development.save(serverOf(version, { options }));
    const next = await development.serves(version);
    expect(next.port).toBe(port);
    await development.run.errors(`process ${next.pid} serves, after `);
    expect((await ask({ port })).text).toBe(version);
    await load.servedBy(next.pid);
    await eventually(() => !isAlive(last));
    last = next.pid;
  }
  expect(await load.end()).toBeGreaterThan(0);
  const { control } = development;
  development.run.signal('SIGINT');
  expect(await development.run.exited).toEqual({ code: 0, signal: null });
  expect(isAlive(last)).toBe(false);
  expect(existsSync(control)).toBe(false);
});

test('a syntax error leaves the old version serving and is shown; the mended one serves', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }));
  const { pid, port } = await development.begun();
  const load = new StrictLoad(port);
  development.save('this is no JavaScript');
  await development.run.errors(`with code 1 before it served: process ${pid} serves on`);
  expect(development.run.stderr).toContain('SyntaxError: ');
  expect((await ask({ port })).servedBy).toBe(pid);
  development.save(serverOf('two', { options }));
  const next = await development.serves('two');
  expect((await ask({ port })).text).toBe('two');
  await load.servedBy(next.pid);
  await load.end();
});

test('WebSockets stay connected, and hear everything', async () => {
  await using scene = new Scene();
  const program = fileURLToPath(new URL('../../examples/chat-server.js', import.meta.url));
  const trigger = `${scene.folder}/trigger`;
  writeFileSync(trigger, '');
  const env = { PORT: '0', LOG: `${scene.folder}/chat.log` };
  const run = scene.add(
    new CommandRun(['dev', '--watch-path', trigger, '--', 'node', program], { env, folder: scene.folder }),
  );
  const ready = (generation: number) => run.output(`generation=${generation} `);
  await ready(0);
  const address = `ws://127.0.0.1:${/port=(\d+)/.exec(run.stdout)?.[1]}/room`;
  using one = await ChatClient.join({ address, name: 'one', compresses: true });
  using other = await ChatClient.join({ address, name: 'other', compresses: false });
  for (const client of [one, other]) client.speak(10);
  for (let generation = 1; generation <= 3; generation++) {
    appendFileSync(trigger, 'once more\n');
    await ready(generation);
    const heard = one.received;
    await eventually(() => one.received > heard + 20 && other.received > heard + 20);
  }
  await Promise.all([one.fallSilent(), other.fallSilent()]);
  await eventually(() => one.received === one.said + other.said && other.received === one.received);
  expect([...one.faults, ...other.faults]).toEqual([]);
  run.signal('SIGTERM');
  expect(await run.exited).toEqual({ code: 0, signal: null });
});

test('a program that cannot start is waited for', async () => {
  await using scene = new Scene();
  const development = new Development(scene, 'this is no JavaScript');
  await development.run.errors('ended with code 1: nobody serves, waiting for a change');
  development.save(serverOf('one', { options }));
  const { pid } = await development.begun();
  process.kill(pid, 'SIGKILL');
  await development.run.errors(`process ${pid} ended by SIGKILL: nobody serves, waiting for a change`);
  development.save(serverOf('two', { options }));
  await development.serves('two');
});

test('with --exit it ends as the program ends', async () => {
  await using scene = new Scene();
  const development = new Development(scene, 'process.exitCode = 7', { flags: ['--exit'] });
  expect(await development.run.exited).toEqual({ code: 7, signal: null });
  await using another = new Scene();
  const other = new Development(another, 'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000)', {
    flags: ['--exit'],
  });
  expect(await other.run.exited).toEqual({ code: 143, signal: null });
});

test('a change while a version starts: that one is ended, and the newest takes over', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }));
  const { pid, port } = await development.begun();
  development.save(serverOf('two', { options, before: hang }));
  const hanging = await development.run.event('hanging');
  development.save(serverOf('three', { options }));
  await development.serves('three');
  expect(isAlive(hanging.pid)).toBe(false);
  expect((await ask({ port })).text).toBe('three');
  await eventually(() => !isAlive(pid));
});

test('a version that dies while the old one finishes its requests: the old one serves again', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }));
  const { pid, port } = await development.begun();
  using held = await HeldRequest.open(port);
  development.save(serverOf('two', { options }));
  const second = await development.serves('two');
  await development.run.errors(`process ${pid} finishes what it has`);
  process.kill(second.pid, 'SIGKILL');
  await development.run.errors(`process ${second.pid} ended by SIGKILL: process ${pid} serves`);
  expect((await ask({ port })).servedBy).toBe(pid);
  expect((await held.release()).text).toBe('one');
  development.save(serverOf('three', { options }));
  await development.serves('three');
});

test('Ctrl-C waits for what is in flight, and Ctrl-C again does not', async () => {
  await using scene = new Scene();
  const patient = new Development(scene, serverOf('one', { options }));
  const first = await patient.begun();
  using answered = await HeldRequest.open(first.port);
  patient.run.signal('SIGINT');
  await patient.run.errors(`ending process ${first.pid} (SIGINT; once more: at once)`);
  expect((await answered.release()).text).toBe('one');
  expect(await patient.run.exited).toEqual({ code: 0, signal: null });

  await using other = new Scene();
  const before = "app.draining.addEventListener('abort', () => tell('draining'));";
  const impatient = new Development(other, serverOf('one', { options, before }));
  const second = await impatient.begun();
  using cut = await HeldRequest.open(second.port);
  impatient.run.signal('SIGINT');
  await insist(impatient.run, 'SIGINT', impatient.run.event('draining'));
  // The library's own code where something was cut off.
  expect(await impatient.run.exited).toEqual({ code: 1, signal: null });
  await expect(cut.release()).rejects.toThrow();
});

test('one Ctrl-C that comes twice, as under npm with bash, is one', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }));
  const { port } = await development.begun();
  using held = await HeldRequest.open(port);
  for (let time = 0; time < 3; time++) {
    development.run.signal('SIGINT');
    await delay(10);
  }
  await development.run.errors('once more: at once');
  expect((await held.release()).text).toBe('one');
  expect(await development.run.exited).toEqual({ code: 0, signal: null });
});

test('a program that ignores every signal is killed at the third Ctrl-C, or when its time is over', async () => {
  const stubborn = `for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tell('ignored', { signal }));
    function tell(event, details) { console.log(JSON.stringify({ event, pid: process.pid, ...details })); }
    tell('here'); setInterval(() => {}, 1000);`;
  await using scene = new Scene();
  const thrice = new Development(scene, stubborn);
  await thrice.run.event('here');
  thrice.run.signal('SIGINT');
  for (let time = 1; time < 3; time++) await insist(thrice.run, 'SIGINT', thrice.run.output('"ignored"', time));
  expect(await thrice.run.exited).toEqual({ code: 137, signal: null });

  await using other = new Scene();
  const slow = new Development(other, stubborn, { flags: ['--stop-timeout', '0.2'] });
  await slow.run.event('here');
  slow.run.signal('SIGHUP');
  await slow.run.errors('did not end: killed');
  expect(slow.run.told).toContainEqual(expect.objectContaining({ event: 'ignored', signal: 'SIGTERM' }));
  expect(await slow.run.exited).toEqual({ code: 137, signal: null });
});

test('a successor that was started by a signal is found, replaced, and ended with the others', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }));
  const { pid, port } = await development.begun();
  process.kill(pid, 'SIGHUP');
  const second = await development.run.event('ready', ({ generation }) => generation === 1);
  await development.run.errors(`process ${pid} ended with code 0: process ${second.pid} serves`);
  development.save(serverOf('two', { options }));
  const third = await development.serves('two');
  await development.run.errors(`process ${third.pid} serves, after`);
  expect(third.generation).toBe(2);
  process.kill(third.pid, 'SIGHUP');
  const fourth = await development.run.event('ready', ({ generation }) => generation === 3);
  await development.run.errors(`process ${third.pid} ended with code 0: process ${fourth.pid} serves`);
  expect((await ask({ port })).servedBy).toBe(fourth.pid);
  development.run.signal('SIGINT');
  expect(await development.run.exited).toEqual({ code: 0, signal: null });
  await eventually(() => !isAlive(fourth.pid));
});

test('a successor that does not answer at once is waited for, and ended with the others', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }));
  const { pid } = await development.begun();
  process.kill(pid, 'SIGHUP');
  const second = await development.run.event('ready', ({ generation }) => generation === 1);
  await development.run.errors(`process ${pid} ended with code 0: process ${second.pid} serves`);
  process.kill(second.pid, 'SIGSTOP');
  development.run.signal('SIGINT');
  // Longer than one question may take: who gives up after that has left by then.
  await Promise.race([development.run.exited, delay(2_000)]);
  process.kill(second.pid, 'SIGCONT');
  expect(await development.run.exited).toEqual({ code: 0, signal: null });
  await eventually(() => !isAlive(second.pid));
});

test('a program that does not use the library is ended and started again', async () => {
  const plain = (version: string) => `
    process.on('SIGTERM', () => { tell('ended'); process.exit(0); });
    function tell(event) { console.log(JSON.stringify({ event, pid: process.pid, version: '${version}' })); }
    tell('started'); setInterval(() => {}, 1000);`;
  await using scene = new Scene();
  const development = new Development(scene, plain('one'));
  await development.run.event('started');
  development.save(plain('two'));
  await development.run.event('ended', ({ version }) => version === 'one');
  await development.run.event('started', ({ version }) => version === 'two');
  development.run.signal('SIGTERM');
  expect(await development.run.exited).toEqual({ code: 0, signal: null });
});

test('with --listen one that takes its listener by number is replaced under strict load, and a failing one is not', async () => {
  await using scene = new Scene();
  const trigger = `${scene.folder}/trigger`;
  const behaviour = `${scene.folder}/behaviour`;
  writeFileSync(trigger, '');
  writeFileSync(behaviour, 'ready-fd');
  // Its configuration is a file, as an application's would be.
  const start = `BEHAVIOUR=$(cat '${behaviour}') exec "$0" "$@"`;
  const flags = ['--watch-path', trigger, '--listen', 'web=127.0.0.1:0'];
  const run = scene.add(
    new CommandRun(['dev', ...flags, '--', 'sh', '-c', start, ...plainServer], { folder: scene.folder }),
  );
  const first = await run.event('serving');
  const { port } = first.address as { port: number };
  await run.errors('serves, after');
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  appendFileSync(trigger, 'once more\n');
  const second = await run.event('serving', ({ pid }) => pid !== first.pid);
  await run.errors('serves, after', 2);
  await load.servedBy(second.pid);
  await eventually(() => !isAlive(first.pid));
  writeFileSync(behaviour, 'exit');
  appendFileSync(trigger, 'once more\n');
  await run.errors('serves on');
  expect((await ask({ port })).servedBy).toBe(second.pid);
  expect(await load.end()).toBeGreaterThan(0);
  run.signal('SIGTERM');
  expect(await run.exited).toEqual({ code: 0, signal: null });
  expect(isAlive(second.pid)).toBe(false);
});

test('with a control path of its own and a way to be asked, a program that says nothing is ready when it accepts', async () => {
  await using scene = new Scene();
  const flags = ['--no-stdin', '--control', scene.control, '--listen', '127.0.0.1:0', '--ready-when', 'tcp'];
  const run = scene.add(
    new CommandRun(['dev', ...flags, '--', ...plainServer], { folder: scene.folder, env: { BEHAVIOUR: 'late' } }),
  );
  const { address, pid } = await run.event('serving');
  await run.errors('serves, after');
  expect(run.stderr).toContain(`control path ${scene.control};`);
  expect(await askStatus(scene.control)).toMatchObject({ phase: 'serving' });
  expect((await ask({ port: (address as { port: number }).port })).servedBy).toBe(pid);
  run.signal('SIGTERM');
  expect(await run.exited).toEqual({ code: 0, signal: null });
});

test('killed by SIGKILL it leaves nobody behind', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }));
  const { pid } = await development.begun();
  development.run.signal('SIGKILL');
  await development.run.exited;
  await eventually(() => !isAlive(pid));
});

test('a program behind a wrapper, and one whose kind is not the usual, are watched and replaced as well', async () => {
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }), {
    program: ['sh', '-c', 'node "$0"; exit $?', 'server.js'],
    flags: ['--ext', 'html'],
  });
  const { port } = await development.serves('one');
  await development.run.errors('serves, after');
  development.save(serverOf('two', { options }));
  await development.serves('two');
  await development.run.errors('serves, after', 2);
  development.save('a page', 'page.html');
  await development.run.errors('changed: page.html');
  await development.run.errors('serves, after', 3);
  expect((await ask({ port })).text).toBe('two');
});

test('"rs" on the terminal starts it again; Ctrl-C there ends it', async (context) => {
  needs(context, 'script', '--version');
  await using scene = new Scene();
  const development = new Development(scene, serverOf('one', { options }), { terminal: true });
  const first = await development.serves('one');
  await development.run.output('"rs" starts again');
  // Anything else is for the program, or nobody.
  development.run.child.stdin?.write('really?\nrs\n');
  const second = await development.run.event('ready', ({ generation }) => generation === 1);
  expect(second.pid).not.toBe(first.pid);
  await development.run.output(`process ${second.pid} serves`);
  development.run.child.stdin?.write('\u0003');
  expect(await development.run.exited).toEqual({ code: 0, signal: null });
  expect(isAlive(second.pid)).toBe(false);
});

test('what cannot be run has the exit code that shells have for it', async () => {
  await using scene = new Scene();
  writeFileSync(`${scene.folder}/file`, '');
  for (const [program, code] of [
    ['no-such-program', 127],
    ['./file', 126],
  ] as const) {
    const run = scene.add(new CommandRun(['dev', '--', program], { folder: scene.folder }));
    expect(await run.exited).toEqual({ code, signal: null });
    expect(run.stderr).toMatch(/\nfd-handoff: ERR_HANDOFF_EXEC_FAILED: .* cannot be started: .*\n$/);
  }
  writeFileSync(`${scene.folder}/script.js`, '');
  const script = scene.add(new CommandRun(['dev', 'script.js'], { folder: scene.folder }));
  expect(await script.exited).toEqual({ code: 127, signal: null });
  expect(script.stderr).toContain('It is run by a program: node script.js\n');
  const bare = scene.add(new CommandRun(['dev'], { folder: scene.folder }));
  expect(await bare.exited).toEqual({ code: 2, signal: null });
  expect(bare.stderr).toContain("missing required argument 'program'");
  const nowhere = scene.add(new CommandRun(['dev', '--watch-path', 'src', '--', 'true'], { folder: scene.folder }));
  expect(await nowhere.exited).toEqual({ code: 2, signal: null });
  const idle = scene.add(new CommandRun(['dev', '--ready-when', 'tcp', '--', 'true'], { folder: scene.folder }));
  expect(await idle.exited).toEqual({ code: 2, signal: null });
  expect(nowhere.stderr).toBe('fd-handoff: There is no src to watch.\n');
});
