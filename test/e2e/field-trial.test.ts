// Ten deploys in a row under everything at once that the field has shown: clients that are never idle, long answers, and a
// log that nobody reads.
import http from 'node:http';
import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { peerFile } from '../support/peer-packages.ts';
import { nodePollers, undiciPollers } from '../support/poll-clients.ts';
import { portOf } from '../support/port-of.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const deploys = 10;

/** How long the streams and downloads take, in seconds: all of the deploys happen while they last, on a quiet machine. */
const longAnswer = 60;

const fieldServer = new URL('programs/field-server.js', import.meta.url).pathname;

/** An answer that takes long: what has come of it, and what has cut it off. */
interface LongAnswer {
  readonly body: Buffer;
  readonly error: string | null;
}

/** Reads one to its end; never rejects, because it is looked at long after. */
function longAnswerOf(port: number, path: string): Promise<LongAnswer> {
  const pieces: Buffer[] = [];
  return new Promise((resolve) => {
    const settle = (error: string | null) => resolve({ body: Buffer.concat(pieces), error });
    const fail = (error: Error) => settle(error.message);
    http
      .get({ port, host: '127.0.0.1', path: `${path}?seconds=${longAnswer}`, agent: false }, (response) => {
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.once('error', fail).once('end', () => settle(null));
      })
      .once('error', fail);
  });
}

function eventNumbers(stream: Buffer): number[] {
  return [...stream.toString('latin1').matchAll(/^id: (\d+)$/gm)].map(([, number]) => Number(number));
}

test('ten deploys under clients that are never idle, long answers and a dead standard error: nothing fails', {
  timeout: 240_000,
}, async (context) => {
  const undici = peerFile(context, 'undici');
  await using scene = new Scene();
  const program = scene.add(new Program(process.execPath, [fieldServer], { CONTROL: scene.control }));
  // Whatever is written there from now on is EPIPE.
  program.child.stderr?.destroy();
  const port = await portOf(program);

  const target = `http://127.0.0.1:${port}`;
  const raw = new LoadClient({ title: 'never idle, raw', target: `${target}/poll`, clients: 10 });
  const strict = new LoadClient({ title: 'strict', target, clients: 20, loop: { kind: 'closed', pause: 20 } });
  raw.start();
  strict.start();
  const polling = [nodePollers(10, port), await undiciPollers(10, port, undici)];
  const streams = Array.from({ length: 10 }, () => longAnswerOf(port, '/events'));
  const downloads = Array.from({ length: 5 }, () => longAnswerOf(port, '/download'));

  const owners = [program.pid];
  for (let generation = 1; generation <= deploys; generation++) {
    program.signal('SIGHUP', owners.at(-1));
    const { pid } = await program.ready(generation);
    owners.push(pid);
    // Every kind has reached the new process before the next one comes.
    const reached = () =>
      [raw, strict].every((load) => (load.snapshot().total.servedBy[pid] ?? 0) > 0) &&
      polling.every(({ tally }) => tally.servedBy.has(pid));
    await expect.poll(reached, { timeout: 30_000 }).toBe(true);
  }

  const ticks = Array.from({ length: longAnswer * 5 }, (_, index) => index + 1);
  for (const { body, error } of await Promise.all(streams)) {
    expect({ error, events: eventNumbers(body) }).toEqual({ error: null, events: ticks });
  }
  for (const { body, error } of await Promise.all(downloads)) {
    expect({ error, bytes: body.length }).toEqual({ error: null, bytes: longAnswer * 10 * 16_384 });
    expect(body.every((byte, index) => byte === Math.floor(index / 16_384) % 251)).toBe(true);
  }
  for (const { tally } of polling) {
    expect(tally.failures).toEqual([]);
    expect(tally.closedUnannounced).toBe(0);
  }
  await Promise.all(polling.map((clients) => clients.stop()));
  for (const { examples, total } of await Promise.all([raw.stop(), strict.stop()])) {
    expect(examples).toEqual([]);
    expect(total.failed).toBe(0);
    expect(total.connections.closedUnannounced).toBe(0);
  }

  // Nobody stays who has nothing left to do, and nobody has cut anything off.
  await expect.poll(() => owners.slice(0, -1).filter(isAlive), { timeout: 30_000 }).toEqual([]);
  const reports = program.told.filter(({ event }) => event === 'drain');
  expect(reports).toHaveLength(deploys);
  expect(reports.filter(({ forced }) => forced !== 0)).toEqual([]);
});
