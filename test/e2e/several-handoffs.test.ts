import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { eventually } from '../support/eventually.ts';
import { insist } from '../support/insist.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

const file = fileURLToPath(new URL('programs/two-handoffs.js', import.meta.url));

interface Ready {
  readonly pid: number;
  readonly port: number;
  readonly adminPort: number;
  readonly adminGeneration: number;
  readonly adminPredecessor: number;
}

function start(scene: Scene, env: NodeJS.ProcessEnv = {}): Program {
  return scene.add(new Program(process.execPath, [file], { CONTROL: scene.control, ...env }));
}

async function ready(program: Program, generation: number): Promise<Ready> {
  return (await program.ready(generation)) as unknown as Ready;
}

/** Both ports under load; `servedBy` waits until these processes have answered there. */
async function loads({ port, adminPort, pid }: Ready) {
  const [open, admin] = [new StrictLoad(port), new StrictLoad(adminPort)];
  const servedBy = async (openPid: number, adminPid: number) => {
    await open.servedBy(openPid);
    await admin.servedBy(adminPid);
  };
  await servedBy(pid, pid);
  const end = async () => {
    for (const load of [open, admin]) expect(await load.end()).toBeGreaterThan(50);
  };
  return { servedBy, end };
}

test('one signal starts one successor, which takes over from every handoff of the process, and nothing fails', async () => {
  await using scene = new Scene();
  const first = start(scene);
  const load = await loads(await ready(first, 0));
  let { pid } = first;
  for (let generation = 1; generation <= 3; generation++) {
    first.signal('SIGHUP', pid);
    const next = await ready(first, generation);
    expect(next).toMatchObject({ adminGeneration: generation, adminPredecessor: pid });
    await load.servedBy(next.pid, next.pid);
    await eventually(() => !isAlive(pid));
    pid = next.pid;
  }
  // And one that is started by somebody else.
  const other = start(scene);
  const last = await ready(other, 4);
  expect(last.adminPredecessor).toBe(pid);
  await load.servedBy(last.pid, last.pid);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  await load.end();
  expect(first.told.filter(({ event }) => event === 'ready')).toHaveLength(4);
  expect(first.told.filter(({ event }) => event === 'error' || event === 'give-back')).toEqual([]);
});

test.each(['the one that has the rest', 'the one that has only that'])(
  'a successor that takes only one: nothing is refused, and the next upgrade, of %s, brings both together',
  async (who) => {
    await using scene = new Scene();
    const fault = join(scene.folder, 'alone');
    const first = start(scene, { FAULT: fault });
    const load = await loads(await ready(first, 0));
    writeFileSync(fault, '');
    first.signal('SIGHUP');
    const second = await ready(first, 1);
    await load.servedBy(second.pid, first.pid);
    rmSync(fault);
    if (who === 'the one that has the rest') first.signal('SIGHUP', second.pid);
    else await insist(first, 'SIGHUP', Promise.resolve());
    const third = await ready(first, 2);
    expect(third).toMatchObject({ adminGeneration: 1, adminPredecessor: first.pid });
    await load.servedBy(third.pid, third.pid);
    await eventually(() => !isAlive(second.pid));
    expect(await first.exited).toEqual({ code: 0, signal: null });
    await load.end();
    expect(first.told.filter(({ event }) => event === 'error')).toEqual([]);
  },
);

test('a successor that dies between the one and the other: everything is given back', async () => {
  await using scene = new Scene();
  const fault = join(scene.folder, 'die');
  const first = start(scene, { FAULT: fault });
  const { port, adminPort } = await ready(first, 0);
  writeFileSync(fault, '');
  first.signal('SIGHUP');
  await first.event('give-back', ({ name }) => name === 'public');
  await expect.poll(async () => (await ask({ port })).servedBy).toBe(first.pid);
  expect((await ask({ port: adminPort })).servedBy).toBe(first.pid);
  rmSync(fault);
  first.signal('SIGHUP');
  const next = await ready(first, 1);
  expect(next.adminPredecessor).toBe(first.pid);
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

test('a stop signal reaches every handoff, and the process leaves when the last is drained', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const { adminPort } = await ready(program, 0);
  const slow = ask({ port: adminPort }, '/?wait=1500');
  await program.event('began');
  program.signal('SIGTERM');
  await program.event('drain', ({ name }) => name === 'public');
  expect(isAlive(program.pid)).toBe(true);
  expect((await slow).status).toBe(200);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(program.told.filter(({ event }) => event === 'drain')).toHaveLength(2);
});

test('a re-exec is refused while the process has another handoff, and says why', async () => {
  await using scene = new Scene();
  const program = start(scene, { REEXEC: '1' });
  expect(await program.event('refused')).toMatchObject({ code: 'ERR_HANDOFF_BUSY' });
});
