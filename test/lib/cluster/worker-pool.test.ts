import cluster from 'node:cluster';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WorkerPool } from '../../../lib/cluster/worker-pool.ts';
import { getCloseOnExec } from '../../../lib/fd/descriptor.ts';
import { Listener } from '../../../lib/servers/binding/listener.ts';
import { Reopenings } from '../../../lib/transaction/reopenings.ts';
import { ask } from '../../support/ask.ts';
import { libraryFile, typescriptOptions } from '../../support/child-script.ts';
import { drainOrder } from '../../support/drain-order.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { isAlive } from '../../support/processes.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

/** Serves by the face of the library, unless the file `fail` is there; hangs where `hang` is. */
const worker = `
  import { existsSync } from 'node:fs';
  import http from 'node:http';
  import { handoff } from ${libraryFile('index.ts')};
  if (existsSync('fail')) throw new Error('the worker cannot start');
  if (existsSync('hang')) { setInterval(() => {}, 1000); await new Promise(() => {}); }
  const app = await handoff();
  const server = http.createServer((request, response) => {
    response.setHeader('x-served-by', process.pid);
    const { FD_HANDOFF_WORKER, FD_HANDOFF_STDERR, COLOUR } = process.env;
    response.end(JSON.stringify({ FD_HANDOFF_WORKER, FD_HANDOFF_STDERR, COLOUR, args: process.argv.slice(2) }));
  });
  await app.listen(server, { name: 'web', port: 0, host: '127.0.0.1' });
  await app.ready();
`;

describe('a pool of workers', () => {
  let descriptors: DescriptorCheck;
  let folder: TemporaryFolder;
  let listener: Listener;
  let pool: WorkerPool;
  let reported: Error[];

  function makePool(readyTimeout = 30_000): WorkerPool {
    const plan = {
      count: 2,
      script: folder.file('worker.mjs'),
      args: ['one', 'two'],
      cwd: folder.path,
      env: { COLOUR: 'green', NODE_OPTIONS: typescriptOptions.slice(0, 2).join(' ') },
      readyTimeout,
      drainTimeout: 30_000,
      retreatTimeout: 30_000,
      generation: 4,
      listeners: () => [listener.named],
      stderr: () => 2,
      reopenings: new Reopenings(() => {}),
    };
    return new WorkerPool(plan, (error) => reported.push(error));
  }

  beforeEach(async () => {
    // Made on first use, and kept: not a leak of what is tested.
    process.stderr.write('');
    descriptors = new DescriptorCheck();
    folder = new TemporaryFolder();
    writeFileSync(folder.file('worker.mjs'), worker);
    listener = await Listener.bind(
      'web',
      { family: 'tcp', host: '127.0.0.1', address: '127.0.0.1', port: 0 },
      { backlog: 64, mode: undefined, ipv6Only: false, reusePort: false },
    );
    reported = [];
    pool = makePool();
  });
  afterEach(async () => {
    await pool.drain(drainOrder({ idle: 0, total: 5_000 }));
    listener.close();
    folder[Symbol.dispose]();
    await descriptors[Symbol.asyncDispose]();
  });

  const answer = () => ask({ port: listener.address.port as number });

  it('serves with copies of the listeners, and a worker finds nothing of the pool in its environment', async () => {
    cluster.setupPrimary({ exec: '/of/the/application.js', args: ['its', 'own'] });
    await pool.start();
    expect(cluster.settings).toMatchObject({ exec: '/of/the/application.js', args: ['its', 'own'] });
    expect(cluster.settings.stdio).toBeUndefined();
    const { servedBy, text } = await answer();
    expect(pool.pids).toHaveLength(2);
    expect(pool.pids).toContain(servedBy);
    expect(JSON.parse(text)).toEqual({ COLOUR: 'green', args: ['one', 'two'] });
    expect(getCloseOnExec(listener.named.fd)).toBe(true);
  });

  it('rolls one worker after the other, one roll at a time', async () => {
    await pool.start();
    const before = pool.pids;
    const rolling = pool.roll();
    await expect(pool.roll()).rejects.toMatchObject({ code: 'ERR_HANDOFF_BUSY' });
    await rolling;
    expect(pool.pids.filter((pid) => before.includes(pid))).toEqual([]);
    expect(before.some(isAlive)).toBe(false);
    expect(pool.pids).toContain((await answer()).servedBy);
    expect(reported).toEqual([]);
  });

  it('ends a roll at the first new worker that fails, with the end of its standard error', async () => {
    await pool.start();
    const before = pool.pids;
    writeFileSync(folder.file('fail'), '');
    await expect(pool.roll()).rejects.toMatchObject({
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
      exitCode: 1,
      stderr: expect.stringContaining('the worker cannot start'),
      message: expect.stringContaining('what serves already serves on'),
    });
    expect(pool.pids).toEqual(before);
    rmSync(folder.file('fail'));
    await pool.roll();
  });

  it('that cannot start leaves nobody behind', async () => {
    await pool.drain(drainOrder());
    writeFileSync(folder.file('hang'), '');
    pool = makePool(1_000);
    await expect(pool.start()).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    expect(pool.pids).toEqual([]);
    expect(Object.keys(cluster.workers ?? {})).toEqual([]);
  });

  it('that is drained ends a roll and starts nobody, until it is to serve again', async () => {
    await pool.start();
    const rolling = expect(pool.roll()).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    const before = pool.pids;
    const end = await pool.drain(drainOrder({ total: 30_000 }));
    expect(end).toEqual({ how: 'drained', counts: { moved: 0, drained: 0, forced: 0 } });
    await rolling;
    expect(before.some(isAlive)).toBe(false);
    await expect(pool.roll()).rejects.toMatchObject({ code: 'ERR_HANDOFF_NOT_READY' });
    pool.serveAgain();
    expect(pool.pids).toEqual([]);
    // It waits in the kernel's queue until the first of them is ready.
    expect((await answer()).status).toBe(200);
    await expect.poll(() => pool.pids.length, { timeout: 30_000 }).toBe(2);
  });

  it('tells of a drain that was called off, and what leaves leaves', async () => {
    await pool.start();
    const before = pool.pids;
    const cancel = new AbortController();
    const draining = pool.drain(drainOrder({ total: 30_000 }, undefined, cancel.signal));
    cancel.abort();
    expect(await draining).toEqual({ how: 'cancelled' });
    await expect.poll(() => before.some(isAlive), { timeout: 30_000 }).toBe(false);
  });

  it('a program that does not exist is told, and nothing is left', async () => {
    await pool.drain(drainOrder());
    rmSync(folder.file('worker.mjs'));
    pool = makePool();
    await expect(pool.start()).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 1 });
    expect(existsSync(folder.file('worker.mjs'))).toBe(false);
  });
});
