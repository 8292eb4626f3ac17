// The port of a debugger goes from process to process, and nobody waits for a debugger.
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { peerFile } from '../support/peer-packages.ts';
import { Program, type Told } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const server = fileURLToPath(new URL('programs/debugged-server.js', import.meta.url));

let scene: Scene;
let port: number;
beforeEach(async () => {
  scene = new Scene();
  port = await freePort();
});
afterEach(() => scene[Symbol.asyncDispose]());

function start(options: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  return scene.add(new Program(process.execPath, [...options, server], { CONTROL: scene.control, ...env }));
}

/** Who says that it is debugged, at an address of its inspector; null where nobody is there. */
async function debugged(at: number, host = '127.0.0.1'): Promise<string | null> {
  const list = await fetch(`http://${host}:${at}/json/list`).then(
    (answer) => answer.json(),
    () => null,
  );
  return (list as { title: string; id: string }[] | null)?.[0]?.id ?? null;
}

/** Waits until the serving process has the debugger's port, and nobody else has: the ids are each process's own. */
async function hasDebugger({ pid, port: web }: Told, at: number): Promise<void> {
  await expect
    .poll(
      async () => {
        const { servedBy, text } = await asked(web as number);
        const url = text.url === null ? null : new URL(text.url);
        return { servedBy, same: url !== null && url.pathname.slice(1) === (await debugged(at)) };
      },
      { timeout: 20_000 },
    )
    .toEqual({ servedBy: pid, same: true });
}

async function asked(web: number, path = '/'): Promise<{ servedBy: number; text: { url: string | null } }> {
  const answer = (await (await fetch(`http://127.0.0.1:${web}${path}`)).json()) as { pid: number; url: string | null };
  return { servedBy: answer.pid, text: answer };
}

async function replaced(program: Program, { pid, generation }: Told): Promise<Told> {
  program.signal('SIGHUP', pid);
  return program.ready((generation as number) + 1);
}

describe('the port of a debugger goes along', () => {
  test.for([
    ['--inspect=PORT', (at: number) => [[`--inspect=${at}`], {}]],
    ['--inspect=HOST:PORT', (at: number) => [[`--inspect=127.0.0.1:${at}`], {}]],
    [
      '--inspect-port',
      (at: number) => [['--inspect', '--inspect-publish-uid=http,stderr', '--inspect-port', `${at}`], {}],
    ],
    ['NODE_OPTIONS', (at: number) => [[], { NODE_OPTIONS: `--no-deprecation "--inspect=${at}"` }]],
  ] as [string, (at: number) => [string[], NodeJS.ProcessEnv]][])('of %s, twice', async ([, how]) => {
    const program = start(...how(port));
    const first = await program.ready(0);
    const second = await replaced(program, first);
    expect(second.before).toBe(null);
    await hasDebugger(second, port);
    await hasDebugger(await replaced(program, second), port);
    expect(program.stderr).not.toContain('address already in use');
  });

  test('of SIGUSR1, where nobody has asked for one at the start', async () => {
    const program = start([`--inspect-port=${port}`]);
    const first = await program.ready(0);
    program.signal('SIGUSR1');
    await hasDebugger(first, port);
    await hasDebugger(await replaced(program, first), port);
  });

  test('of inspector.open(0), as the number that it has got', async () => {
    const program = start([]);
    const first = await program.ready(0);
    const { url } = (await asked(first.port as number, '/open')).text;
    await hasDebugger(await replaced(program, first), Number(new URL(url as string).port));
  });

  test('to somebody who was started beside, and had wanted it at once', async () => {
    await start([`--inspect=${port}`]).ready(0);
    const other = start([`--inspect-brk=${port}`]);
    await hasDebugger(await other.ready(1), port);
    expect(other.stderr).toContain('address already in use');
  });

  test('past one whose own it is, which another one has asked for', async () => {
    const own = await freePort();
    await start([`--inspect=${port}`]).ready(0);
    await hasDebugger(await start([`--inspect=${own}`]).ready(1), own);
    await expect.poll(() => debugged(port), { timeout: 20_000 }).toBe(null);
  });

  test('through an exec', async () => {
    const program = start([`--inspect=${port}`]);
    const first = await program.ready(0);
    await asked(first.port as number, '/reexec');
    const second = await program.ready(1);
    expect(second).toMatchObject({ pid: first.pid, options: [`--inspect-port=${port}`] });
    await hasDebugger(second, port);
    await hasDebugger(await replaced(program, second), port);
  });
});

describe('what stops at the first line', () => {
  test.for(['--inspect-brk', '--inspect-wait'])('%s does not go along', async (option, context) => {
    if (!process.allowedNodeEnvironmentFlags.has(option)) context.skip(`this Node has no ${option}`);
    // As after a debugger has let it go on: the option is there, and the port is somebody else's.
    const holder = createServer().listen(port, '127.0.0.1');
    await once(holder, 'listening');
    const program = start([`${option}=${port}`], { NODE_OPTIONS: `${option}=${port}` });
    const first = await program.ready(0);
    holder.close();
    await once(holder, 'close');
    // Free by now: whoever waited there would wait for good.
    await hasDebugger(await replaced(program, first), port);
  });
});

describe('a debugger that is attached', () => {
  /** The client of npm that most tools stand on, and what has become of it. */
  async function attach(context: Parameters<typeof peerFile>[0]) {
    const path = peerFile(context, 'chrome-remote-interface');
    const CDP = createRequire(import.meta.url)(path) as (options: object) => Promise<Client>;
    const client = await CDP({ host: '127.0.0.1', port });
    const disconnected = new Promise<void>((resolve) => client.once('disconnect', resolve));
    const pid = async () => (await client.Runtime.evaluate({ expression: 'process.pid' })).result.value;
    return { client, disconnected, pid };
  }
  interface Client {
    readonly Runtime: { evaluate(options: object): Promise<{ result: { value: unknown } }> };
    once(event: 'disconnect', listener: () => void): void;
    close(): Promise<void>;
  }

  test('stays as long as the old process finishes something, and can attach to the next then', async (context) => {
    const program = start([`--inspect=${port}`]);
    const first = await program.ready(0);
    const { disconnected, pid } = await attach(context);
    const slow = fetch(`http://127.0.0.1:${first.port}/slow`).then((answer) => answer.text());
    await program.event('slow');
    const second = await replaced(program, first);
    expect(await pid()).toBe(first.pid);
    await expect.poll(() => program.stderr, { timeout: 20_000 }).toContain('FD_HANDOFF_DEBUGGER');
    program.signal('SIGWINCH', first.pid);
    await slow;
    await disconnected;
    expect(await program.exited).toEqual({ code: 0, signal: null });
    await hasDebugger(second, port);
    const again = await attach(context);
    expect(await again.pid()).toBe(second.pid);
    await again.client.close();
  });

  test('and is itself stopped keeps nobody waiting', async (context) => {
    const program = start([`--inspect=${port}`]);
    const first = await program.ready(0);
    const path = peerFile(context, 'chrome-remote-interface');
    const script = `require(${JSON.stringify(path)})({ host: '127.0.0.1', port: ${port} }).then(() => {
      console.log(JSON.stringify({ event: 'attached', pid: process.pid }));
    });`;
    const stopped = scene.add(new Program(process.execPath, ['-e', script], {}));
    const { pid } = await stopped.event('attached');
    const slow = fetch(`http://127.0.0.1:${first.port}/slow`).then((answer) => answer.text());
    await program.event('slow');
    process.kill(pid, 'SIGSTOP');
    const second = await replaced(program, first);
    program.signal('SIGWINCH', first.pid);
    expect(JSON.parse(await slow).pid).toBe(first.pid);
    process.kill(pid, 'SIGKILL');
    await hasDebugger(second, port);
  });

  test('gives the port away by detaching', async (context) => {
    const program = start([`--inspect=${port}`]);
    const first = await program.ready(0);
    const { client } = await attach(context);
    const slow = fetch(`http://127.0.0.1:${first.port}/slow`).then((answer) => answer.text());
    await program.event('slow');
    const second = await replaced(program, first);
    await client.close();
    await hasDebugger(second, port);
    program.signal('SIGWINCH', first.pid);
    await slow;
  });

  test('is left alone where a handoff fails', async (context) => {
    const program = start([`--inspect=${port}`], { FAILS: '1' });
    const first = await program.ready(0);
    const { client, pid } = await attach(context);
    program.signal('SIGHUP');
    await program.event('rollback');
    expect(await pid()).toBe(first.pid);
    await client.close();
    await hasDebugger(first, port);
    expect(program.stderr).not.toContain('address already in use');
  });
});

test('a give-back brings the port back', async () => {
  const program = start([`--inspect=${port}`]);
  const first = await program.ready(0);
  const slow = fetch(`http://127.0.0.1:${first.port}/slow`).then((answer) => answer.text());
  await program.event('slow');
  const second = await replaced(program, first);
  await hasDebugger(second, port);
  process.kill(second.pid, 'SIGKILL');
  await program.event('give-back');
  await hasDebugger(first, port);
  program.signal('SIGWINCH', first.pid);
  await slow;
});

test('a rehearsal has no port, and does not wait', async () => {
  const program = start([`--inspect=${port}`], {
    OPTIONS: '{"signals":{"SIGHUP":"reexec"}}',
    NODE_OPTIONS: `--inspect=${port}`,
  });
  const first = await program.ready(0);
  program.signal('SIGHUP');
  const second = await program.ready(1);
  expect(second.pid).toBe(first.pid);
  expect(program.stderr).not.toContain('address already in use');
  await hasDebugger(second, port);
});

// Siblings: options of Node that one process has, and the next one has again.
describe('another option of Node', () => {
  test('--cpu-prof writes a file for each process', async () => {
    const program = start(['--cpu-prof', `--cpu-prof-dir=${scene.folder}/profiles`]);
    const second = await replaced(program, await program.ready(0));
    expect(await program.exited).toEqual({ code: 0, signal: null });
    program.signal('SIGTERM', second.pid);
    const profiles = `${scene.folder}/profiles`;
    await expect.poll(() => (existsSync(profiles) ? readdirSync(profiles).length : 0), { timeout: 20_000 }).toBe(2);
  });

  test('--report-signal shares a signal with an order, and both happen', async () => {
    const program = start(['--report-on-signal', '--report-signal=SIGHUP', `--report-directory=${scene.folder}`]);
    const first = await program.ready(0);
    const second = await replaced(program, first);
    await expect
      .poll(() => readdirSync(scene.folder).some((name) => name.startsWith('report.')), { timeout: 20_000 })
      .toBe(true);
    expect(second.options).toContain('--report-signal=SIGHUP');
  });

  test('--import runs once in each process', async () => {
    const said = 'data:text/javascript,console.error("imported-once")';
    const program = start(['--import', said, `--inspect=${port}`]);
    const second = await replaced(program, await program.ready(0));
    expect(second.options).toEqual(['--import', said, `--inspect-port=${port}`]);
    expect(program.stderr.split('imported-once')).toHaveLength(3);
  });
});
