import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

const example = fileURLToPath(new URL('../../examples/rolling-upgrade.js', import.meta.url));

test('the example: sharers are replaced one by one, and their owner in the middle of it, and nothing fails', async () => {
  await using scene = new Scene();
  const owner = scene.server({ LISTENERS: '[{"name":"web","port":0}]' });
  const port = await portOf(owner);
  const sharers = scene.add(new Program(process.execPath, [example], { CONTROL: scene.control, PORT: '0' }));
  const first = (await sharers.event('started')).workers as number[];
  const load = new StrictLoad(port);
  await load.servedBy(...first);

  const rolls = () => sharers.told.filter(({ event }) => event === 'rolled').map(({ workers }) => workers as number[]);
  sharers.signal('SIGHUP');
  await expect.poll(rolls, { timeout: 30_000 }).toHaveLength(1);
  const [second] = rolls() as [number[]];
  await load.servedBy(...second);

  // The owner is replaced between the two, and while the second of them comes.
  sharers.signal('SIGHUP');
  await sharers.event('ready', ({ pid }) => ![...first, ...second].includes(pid));
  owner.signal('SIGHUP');
  const next = await owner.ready(1);
  await expect.poll(rolls, { timeout: 30_000 }).toHaveLength(2);
  await load.servedBy(...(rolls()[1] as number[]));
  expect(await owner.exited).toEqual({ code: 0, signal: null });

  // And the next ones share with the next owner.
  sharers.signal('SIGHUP');
  await expect.poll(rolls, { timeout: 30_000 }).toHaveLength(3);
  const [, , last] = rolls() as [number[], number[], number[]];
  for (const pid of last) {
    expect(await sharers.event('ready', (told) => told.pid === pid)).toMatchObject({ owner: next.pid });
  }
  await load.servedBy(...last);
  sharers.signal('SIGTERM');
  expect(await sharers.exited).toEqual({ code: 0, signal: null });
  expect(await load.end()).toBeGreaterThan(100);
  expect(sharers.told.filter(({ event }) => event === 'failed')).toEqual([]);
});
