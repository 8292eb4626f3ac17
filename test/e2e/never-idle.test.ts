// A long-polling client sends its next request in the instant of each answer: nobody ever finds it between two.
import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { peerFile } from '../support/peer-packages.ts';
import { nodePollers, undiciPollers } from '../support/poll-clients.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const fieldServer = new URL('programs/field-server.js', import.meta.url).pathname;

/** Shorter than two answers of the server take: whoever begins another one after the commit would be cut off in it. */
const drainTimeout = 4_000;

test.for([
  { connections: 'move', deploys: 4 },
  { connections: 'drain', deploys: 2 },
])(
  '$deploys deploys with { connections: $connections } fail and cut off no client that is never idle',
  {
    timeout: 180_000,
  },
  async ({ connections, deploys }, context) => {
    const undici = peerFile(context, 'undici');
    await using scene = new Scene();
    const program = scene.add(
      new Program(process.execPath, [fieldServer], {
        CONNECTIONS: connections,
        CONTROL: scene.control,
        OPTIONS: JSON.stringify({ drainTimeout }),
      }),
    );
    const port = await portOf(program);
    const raw = new LoadClient({ target: `http://127.0.0.1:${port}/poll`, clients: 10 });
    raw.start();
    const polling = [nodePollers(10, port), await undiciPollers(10, port, undici)];
    let owner = program.pid;
    for (let generation = 1; generation <= deploys; generation++) {
      // In the middle of everybody's request.
      await expect
        .poll(() => raw.snapshot().total.requests, { timeout: 30_000 })
        .toBeGreaterThanOrEqual(10 * generation);
      program.signal('SIGHUP', owner);
      owner = (await program.ready(generation)).pid;
    }
    await expect.poll(() => polling.every(({ tally }) => tally.servedBy.has(owner)), { timeout: 30_000 }).toBe(true);
    for (const { tally } of polling) {
      expect(tally.failures).toEqual([]);
      expect(tally.closedUnannounced).toBe(0);
    }
    await Promise.all(polling.map((clients) => clients.stop()));
    const { examples, total } = await raw.stop();
    expect(examples).toEqual([]);
    expect(total.failed).toBe(0);
    expect(total.connections.closedUnannounced).toBe(0);
    // Moved ones are not even told to come again.
    if (connections === 'move') expect(total.connections.opened).toBe(10);
    for (const { forced } of program.told.filter(({ event }) => event === 'drain')) expect(forced).toBe(0);
  },
);
