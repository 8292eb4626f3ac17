import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { askJson } from '../support/ask.ts';
import { DatagramLoad } from '../support/datagram-load.ts';
import { Program, type Told } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const example = fileURLToPath(new URL('../../examples/datagram-server.js', import.meta.url));

interface Counts {
  readonly datagrams: number;
  readonly counters: { readonly [name: string]: number };
}

test.each([
  ['upgrades', 'SIGHUP'],
  ['re-execs, with one pid', 'SIGUSR2'],
] as const)(
  '5,000 datagrams a second over ten %s: each is counted exactly once',
  {
    timeout: 180_000,
  },
  async (how, signal) => {
    await using scene = new Scene();
    const environment = { CONTROL: scene.control, PORT: '0', COUNTS_PORT: '0' };
    const program = scene.add(new Program(process.execPath, [example], environment));
    type Ready = Told & { port: number; countsPort: number; bufferSize: number };
    let now = (await program.ready(0)) as Ready;
    const { port, countsPort, bufferSize } = now;
    const load = new DatagramLoad(port, 5000, bufferSize);
    const pids = new Set([now.pid]);
    const counts = () => askJson<Counts>({ port: countsPort }, '/');
    for (let generation = 1; generation <= 10; generation++) {
      const before = (await counts()).datagrams;
      program.signal(signal, now.pid);
      now = (await program.ready(generation)) as Ready;
      pids.add(now.pid);
      expect(now).toMatchObject({ port, countsPort, bufferSize });
      // Every generation counts some by itself, beside what was counted before it.
      await expect.poll(async () => (await counts()).datagrams, { timeout: 30_000 }).toBeGreaterThan(before + 1000);
    }
    const report = await load.stop();
    await expect.poll(async () => (await counts()).datagrams, { timeout: 30_000 }).toBe(report.sent);
    const { counters } = await counts();
    console.log(JSON.stringify({ how, upgrades: 10, received: report.sent, ...report, bufferSize }));
    expect(counters).toEqual(DatagramLoad.counters(report.sent));
    expect(report.dropped).toBe(0);
    expect(pids.size).toBe(signal === 'SIGHUP' ? 11 : 1);
  },
);
