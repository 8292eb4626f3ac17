import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root } from '../support/packed.ts';
import { peerFile, peerPackages } from '../support/peer-packages.ts';

// Jest runs tests in a realm of its own, where Error, Buffer and Uint8Array may be others than those of Node's modules, with a
// module system of its own, where no ES module can be required.

/** The next version, a process of its own: it has what it was handed, and answers with it. */
const successor = `
  const http = require('node:http');
  const { handoff } = require('fd-handoff');
  const state = {};
  handoff({ control: './app.sock' }).then(async (app) => {
    for (const name of ['bytes', 'object']) {
      app.state(name, { save: () => state[name], restore: (value) => { state[name] = value; } });
    }
    const answer = () => JSON.stringify({ generation: app.generation, bytes: [...state.bytes], object: state.object });
    await app.listen(http.createServer((_, response) => response.end(answer())), { port: 0, host: '127.0.0.1' });
    await app.ready();
    process.send('ready');
    process.disconnect();
  });
`;

/** Serves in Jest, is replaced by another process, and replaces that one. */
const program = `
  import { fork } from 'node:child_process';
  import { once } from 'node:events';
  import http from 'node:http';
  import type { AddressInfo } from 'node:net';
  import { expect, test } from '@jest/globals';
  import { HandoffError, handoff, type StateValue } from 'fd-handoff';
  import { HandoffError as SameError, pipe, close } from 'fd-handoff/fd';

  const state: Record<string, StateValue> = { bytes: new Uint8Array([1, 2, 3]), object: { visits: 3, by: ['Ada'] } };

  async function serve() {
    const app = await handoff({ control: './app.sock', signals: false, exit: false });
    for (const name of ['bytes', 'object']) {
      app.state(name, { save: () => state[name] as StateValue, restore: (value) => { state[name] = value; } });
    }
    const server = http.createServer((_, response) => response.end('from Jest'));
    await app.listen(server, { port: 0, host: '127.0.0.1' });
    await app.ready();
    return { app, server };
  }

  test('a server is replaced, and replaces', async () => {
    const { app, server } = await serve();
    const url = \`http://127.0.0.1:\${(server.address() as AddressInfo).port}/\`;
    const ask = async () => (await fetch(url, { headers: { connection: 'close' } })).text();
    expect(await ask()).toBe('from Jest');

    const child = fork('./successor.cjs', { execArgv: [] });
    const exited = once(child, 'exit');
    await once(child, 'message');
    expect(await app.closed).toMatchObject({ forced: 0, reason: 'handoff' });
    expect(JSON.parse(await ask())).toEqual({ generation: 1, bytes: [1, 2, 3], object: { visits: 3, by: ['Ada'] } });

    delete state.bytes;
    delete state.object;
    const next = await serve();
    expect(next.app.generation).toBe(2);
    expect(Array.from(state.bytes as unknown as Uint8Array)).toEqual([1, 2, 3]);
    expect(state.object).toEqual({ visits: 3, by: ['Ada'] });
    expect(await exited).toEqual([0, null]);
    expect(await ask()).toBe('from Jest');
    await next.app.shutdown();
    await next.app.closed;
  });

  test('its errors are of one class', async () => {
    const wrong = handoff({ control: './missing/app.sock', signals: false, exit: false });
    await expect(wrong).rejects.toMatchObject({ code: 'ENOENT' });
    expect(HandoffError).toBe(SameError);
    const first = await handoff({ control: './other.sock', signals: false, exit: false });
    await expect(handoff({ control: './other.sock', signals: false })).rejects.toBeInstanceOf(HandoffError);
    await first.shutdown();
  });

  test('what an application throws stays what it is', async () => {
    const app = await handoff({ signals: false, exit: false });
    await expect(app.descriptor('pipe', () => { throw new RangeError('none today'); })).rejects.toThrow('none today');
    for (const fd of pipe()) close(fd);
    await app.shutdown();
  });
`;

/** Runs the program in a project of that kind, to its end: Jest does not end where something is left open. */
function runJest(context: TestContext, type: 'commonjs' | 'module', ...options: string[]): void {
  const jest = peerFile(context, 'jest/bin/jest');
  const module = type === 'module';
  using project = new Installation();
  const peers = join(peerPackages(context), 'node_modules');
  mkdirSync(project.file('node_modules/@types'));
  symlinkSync(join(root, 'node_modules/@types/node'), project.file('node_modules/@types/node'));
  symlinkSync(join(root, 'node_modules/undici-types'), project.file('node_modules/undici-types'));
  symlinkSync(join(peers, '@jest'), project.file('node_modules/@jest'));
  writeFileSync(project.file('package.json'), JSON.stringify({ private: true, type }));
  writeFileSync(project.file('successor.cjs'), successor);
  writeFileSync(project.file('handoff.test.ts'), program);
  const tsconfig = { module: 'node16', moduleResolution: 'node16', target: 'es2022', isolatedModules: true };
  const transform = { '\\.ts$': [peerFile(context, 'ts-jest'), { useESM: module, tsconfig }] };
  const extensionsToTreatAsEsm = module ? ['.ts'] : [];
  const config = { testEnvironment: 'node', testTimeout: 30_000, transform, extensionsToTreatAsEsm };
  writeFileSync(project.file('jest.config.json'), JSON.stringify(config));
  const { status, stderr } = spawnSync(process.execPath, [...options, jest, '--runInBand', '--no-cache'], {
    cwd: project.path,
    encoding: 'utf8',
    timeout: 100_000,
  });
  expect(stderr).toContain('3 passed');
  expect(stderr).not.toContain('did not exit');
  expect(status).toBe(0);
}

test('in a project of CommonJS', { timeout: 300_000 }, (context) => {
  runJest(context, 'commonjs');
});

test('in a project of ES modules', { timeout: 300_000 }, (context) => {
  runJest(context, 'module', '--experimental-vm-modules');
});
