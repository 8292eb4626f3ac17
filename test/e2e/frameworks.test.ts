import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { ask } from '../support/ask.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

test.each(['express', 'fastify', 'koa'])(
  '%s works unchanged: nothing fails and nothing is closed',
  async (framework) => {
    await using scene = new Scene();
    const file = fileURLToPath(new URL(`../../examples/${framework}-server.js`, import.meta.url));
    const environment = { PORT: '0', CONTROL: scene.control };
    const first = scene.add(new Program(process.execPath, [file], environment));
    const { port } = (await first.ready(0)) as unknown as { port: number };
    const target = `http://127.0.0.1:${port}/`;
    const loads = [
      new LoadClient({ target, clients: 30, mode: 'keep-alive', loop: { kind: 'closed', pause: 20 } }),
      new LoadClient({ target, clients: 5, mode: 'new-connection', loop: { kind: 'closed', pause: 20 } }),
    ];
    for (const load of loads) load.start();

    first.signal('SIGHUP');
    const second = await first.ready(1);
    first.signal('SIGHUP', second.pid);
    await first.ready(2);
    const third = scene.add(new Program(process.execPath, [file], environment));
    await third.ready(3);
    expect(await first.exited).toEqual({ code: 0, signal: null });

    const answer = await ask({ port });
    expect(answer).toMatchObject({ status: 200, servedBy: third.pid });
    expect(answer.text.toLowerCase()).toContain(framework);
    const [keepAlive, newConnection] = await Promise.all(loads.map((load) => load.stop()));
    expect(keepAlive?.examples).toEqual([]);
    expect(newConnection?.examples).toEqual([]);
    expect(keepAlive?.total.connections).toEqual({ opened: 30, closedAnnounced: 0, closedUnannounced: 0 });
    expect(keepAlive?.total.requests).toBeGreaterThan(100);
  },
);
