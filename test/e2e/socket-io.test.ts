import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { peerPackages } from '../support/peer-packages.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const program = fileURLToPath(new URL('programs/socket-io-server.js', import.meta.url));

/** As much of socket.io-client as the test needs. */
interface Client {
  readonly io: { readonly engine: { readonly transport: { readonly name: string } } };
  on(event: string, listener: (...args: never[]) => void): void;
  disconnect(): void;
}

test.for([['websocket'], ['polling'], ['polling', 'websocket']])(
  'clients of socket.io by %s come back to the next version by themselves',
  async (transports, context) => {
    const packages = join(peerPackages(context), 'package.json');
    const { io } = createRequire(packages)('socket.io-client') as {
      io: (url: string, options: object) => Client;
    };
    await using scene = new Scene();
    const server = scene.add(new Program(process.execPath, [program], { CONTROL: scene.control, PACKAGES: packages }));
    const { port } = await server.ready(0);
    const clients = Array.from({ length: 20 }, () => {
      const client = io(`http://127.0.0.1:${port}`, { transports, forceNew: true, reconnectionDelay: 50 });
      const welcomed: number[] = [];
      const reasons: string[] = [];
      client.on('welcome', (pid: number) => welcomed.push(pid));
      client.on('disconnect', (reason: string) => reasons.push(reason));
      return { client, welcomed, reasons };
    });
    try {
      await expect.poll(() => clients.every(({ welcomed }) => welcomed.length === 1), { timeout: 20_000 }).toBe(true);
      server.signal('SIGHUP');
      const second = await server.ready(1);
      await expect
        .poll(() => clients.map(({ welcomed }) => welcomed.at(-1)), { timeout: 20_000 })
        .toEqual(clients.map(() => second.pid));
      expect(await server.exited).toEqual({ code: 0, signal: null });
      // Not "io server disconnect", after which they never come back.
      for (const { reasons } of clients) expect(reasons).not.toContain('io server disconnect');
    } finally {
      for (const { client } of clients) client.disconnect();
    }
  },
);
