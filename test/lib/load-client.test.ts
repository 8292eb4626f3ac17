import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { FAILURE_KINDS, type FailureKind } from '../../bench/client-connection.ts';
import { combinedReport, LoadClient, type LoadOptions, type Report } from '../../bench/load-client.ts';

const OK = 'HTTP/1.1 200 OK\r\nX-Served-By: one\r\nContent-Length: 2\r\n\r\nok';
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Peer {
  readonly target: string;
  readonly server: net.Server;
  /** How many request heads have arrived: what the client sent, a retry included. */
  requests(): number;
  connections(): number;
}

/** A server of raw bytes: `answer` is called for each request, with its number from 1 on. */
async function peer(answer: (socket: net.Socket, number: number) => void, path?: string): Promise<Peer> {
  let requests = 0;
  let connections = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    connections++;
    sockets.add(socket);
    let received = '';
    socket.on('data', (data) => {
      received += data.toString('latin1');
      for (let end = received.indexOf('\r\n\r\n'); end !== -1; end = received.indexOf('\r\n\r\n')) {
        received = received.slice(end + 4);
        requests++;
        answer(socket, requests);
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const target = path === undefined ? `http://127.0.0.1:${(server.address() as AddressInfo).port}/` : `unix:${path}`;
  return { target, server, requests: () => requests, connections: () => connections };
}

function newLoad(options: LoadOptions): LoadClient {
  const load = new LoadClient(options);
  cleanups.push(() => load.stop());
  return load;
}

/** Runs a load of a limited number of requests to its end. */
async function run(options: LoadOptions & { readonly requests: number }): Promise<Report> {
  const load = newLoad(options);
  const finished = once(load, 'finished');
  load.start();
  await finished;
  return await load.stop();
}

function expectOnly(report: Report, kind: FailureKind, times = 1): void {
  const expected = Object.fromEntries(FAILURE_KINDS.map((each) => [each, each === kind ? times : 0]));
  expect(report.total.failures).toEqual(expected);
  expect(report.total.failed).toBe(times);
  expect(report.examples.map((example) => example.kind)).toEqual(Array(times).fill(kind));
}

describe('each failure is counted once, as what it is, and not retried', () => {
  test('refused', async () => {
    const { target, server } = await peer(() => undefined);
    server.close();
    await once(server, 'close');
    const report = await run({ target, requests: 1 });
    expectOnly(report, 'refused');
    expect(report.total.requests).toBe(1);
    expect(report.examples[0]?.message).toContain('ECONNREFUSED');
  });

  test('refused, on a Unix path that is not there', async () => {
    const report = await run({ target: `unix:${join(tmpdir(), 'fd-handoff-nobody.sock')}`, requests: 1 });
    expectOnly(report, 'refused');
  });

  test('a refused load without a pause still lets the process do other things', async () => {
    const load = newLoad({ target: `unix:${join(tmpdir(), 'fd-handoff-nobody.sock')}` });
    const failures = new Promise<void>((resolve) => {
      let count = 0;
      load.on('failure', () => ++count === 20 && resolve());
    });
    load.start();
    await failures;
    expect((await load.stop()).total.failed).toBeGreaterThanOrEqual(20);
  });

  test('reset', async () => {
    const server = await peer((socket) => socket.resetAndDestroy());
    const report = await run({ target: server.target, requests: 1 });
    expectOnly(report, 'reset');
    expect(report.examples[0]?.localPort).toBeGreaterThan(0);
    expect(server.requests()).toBe(1);
  });

  test('reset within an answer', async () => {
    const server = await peer((socket) => socket.write('HTTP/1.1 200 OK\r\n', () => socket.resetAndDestroy()));
    const { total } = await run({ target: server.target, requests: 1 });
    // If the reset is there before the bytes in front of it were read, libuv tells of it as the end of the stream.
    expect([total.failed, total.failures.reset + total.failures['closed-within-answer']]).toEqual([1, 1]);
    expect(server.requests()).toBe(1);
  });

  test('closed before an answer', async () => {
    const server = await peer((socket) => socket.end());
    const report = await run({ target: server.target, requests: 1 });
    expectOnly(report, 'closed-before-answer');
    expect(report.total.connections.closedUnannounced).toBe(0);
    expect(server.requests()).toBe(1);
  });

  test('closed before an answer, on a connection that had served', async () => {
    const server = await peer((socket, number) => (number === 1 ? socket.write(OK) : socket.end()));
    const report = await run({ target: server.target, requests: 2 });
    expectOnly(report, 'closed-before-answer');
    expect(report.total.requests).toBe(2);
    expect([server.requests(), server.connections()]).toEqual([2, 1]);
  });

  test('a request that crosses the close of an idle connection on the wire', async () => {
    // The client sends its next request as soon as it has the answer, and the close follows that answer: the server never
    // sees the request, and an agent would have sent it again.
    const server = await peer((socket, number) =>
      number === 1 ? socket.write(OK, () => socket.destroy()) : undefined,
    );
    const report = await run({ target: server.target, requests: 2 });
    expect(report.total.failed).toBe(1);
    const { failures } = report.total;
    expect(failures['closed-before-answer'] + failures.reset).toBe(1);
    expect(server.connections()).toBe(1);
  });

  test.each([
    ['in the head', 'HTTP/1.1 200 OK\r\nConte'],
    ['in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab'],
    ['in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab'],
    ['before the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n'],
    ['after an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('closed within an answer: %s', async (_, text) => {
    const server = await peer((socket) => socket.end(text));
    expectOnly(await run({ target: server.target, requests: 1 }), 'closed-within-answer');
    expect(server.requests()).toBe(1);
  });

  test('timed out without a byte', async () => {
    const server = await peer(() => undefined);
    const report = await run({ target: server.target, requests: 1, timeout: 30 });
    expectOnly(report, 'timed-out');
    expect(report.examples[0]?.message).toContain('no byte');
    expect(server.requests()).toBe(1);
  });

  test('timed out within an answer', async () => {
    const server = await peer((socket) => socket.write('HTTP/1.1 200 OK\r\n'));
    const report = await run({ target: server.target, requests: 1, timeout: 30 });
    expectOnly(report, 'timed-out');
    expect(report.examples[0]?.message).toContain('incomplete');
  });

  test('bad status, after which the connection is used on', async () => {
    const server = await peer((socket, number) =>
      socket.write(
        number === 1 ? 'HTTP/1.1 503 Service Unavailable\r\nX-Served-By: 7\r\nContent-Length: 0\r\n\r\n' : OK,
      ),
    );
    const report = await run({ target: server.target, requests: 2 });
    expectOnly(report, 'bad-status');
    expect(report.examples[0]?.message).toBe('status 503 from 7');
    expect(report.total.servedBy).toEqual({ one: 1 });
    expect(server.connections()).toBe(1);
  });

  test('an expected status that is not 2xx', async () => {
    const server = await peer((socket) => socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
    const report = await run({ target: server.target, requests: 1, expects: (status) => status === 404 });
    expect(report.total.failed).toBe(0);
  });

  test('malformed', async () => {
    const server = await peer((socket) => socket.write('SSH-2.0-server\r\n'));
    const report = await run({ target: server.target, requests: 1 });
    expectOnly(report, 'malformed');
    expect(report.examples[0]?.message).toContain('SSH-2.0');
  });

  test('garbage pipelined behind an answer', async () => {
    const server = await peer((socket, number) => socket.write(number === 1 ? `${OK}garbage` : OK));
    const report = await run({ target: server.target, requests: 2 });
    expectOnly(report, 'malformed');
    expect(report.total.requests).toBe(2);
    expect(server.connections()).toBe(2);
  });

  test('garbage on an idle connection', async () => {
    const server = await peer((socket) => socket.write(OK));
    const accepted = once(server.server, 'connection') as Promise<[net.Socket]>;
    const load = newLoad({ target: server.target, requests: 1 });
    const finished = once(load, 'finished');
    load.start();
    await finished;
    const failure = once(load, 'failure');
    (await accepted)[0].write('HTTP/1.1 408 Request Timeout\r\n\r\n');
    await failure;
    const report = await load.stop();
    expectOnly(report, 'malformed');
    expect(report.total.requests).toBe(1);
  });

  test('only the first few of a kind are described, all are counted', async () => {
    const server = await peer((socket) => socket.end());
    const report = await run({ target: server.target, requests: 50, clients: 5 });
    expect(report.total.failures['closed-before-answer']).toBe(50);
    expect(report.examples.length).toBe(5);
    expect(server.requests()).toBe(50);
  });
});

describe('connections that are closed on it', () => {
  test.each([
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['a body that lasts until then', 'HTTP/1.1 200 OK\r\n\r\nok'],
  ])('announced by %s', async (_, text) => {
    const server = await peer((socket) => socket.end(text));
    const report = await run({ target: server.target, requests: 3 });
    expect(report.total).toMatchObject({ requests: 3, failed: 0 });
    expect(report.total.connections).toEqual({ opened: 3, closedAnnounced: 3, closedUnannounced: 0 });
    expect(server.connections()).toBe(3);
  });

  test.each([
    ['by FIN', (socket: net.Socket) => socket.end()],
    ['by RST', (socket: net.Socket) => socket.resetAndDestroy()],
  ])('unannounced, while idle, %s', async (_, close) => {
    const server = await peer((socket) => socket.write(OK));
    const accepted = once(server.server, 'connection') as Promise<[net.Socket]>;
    const load = newLoad({ target: server.target, requests: 1 });
    const finished = once(load, 'finished');
    load.start();
    await finished;
    const closed = once(load, 'closed');
    close((await accepted)[0]);
    expect(await closed).toEqual(['unannounced']);
    const report = await load.stop();
    expect(report.total).toMatchObject({ requests: 1, failed: 0 });
    expect(report.total.connections).toEqual({ opened: 1, closedAnnounced: 0, closedUnannounced: 1 });
  });

  test('after an unannounced close the next request opens a new connection', async () => {
    const server = await peer((socket, number) => socket.write(OK, () => number === 1 && socket.destroy()));
    // A pause long enough that the close always comes in it: the test ends by the answer that follows, not by a time.
    const load = newLoad({ target: server.target, loop: { kind: 'closed', pause: 400 }, requests: 2 });
    const finished = once(load, 'finished');
    load.start();
    await finished;
    const { total } = await load.stop();
    // With a random pause close to 0 the request may cross the close: then it is that failure, never both.
    expect(total.failed + total.connections.closedUnannounced).toBe(1);
  });

  test('closing from this side counts as nothing', async () => {
    const server = await peer((socket) => socket.write(OK));
    const report = await run({ target: server.target, clients: 3, requests: 9 });
    expect(report.total.connections).toEqual({ opened: 3, closedAnnounced: 0, closedUnannounced: 0 });
  });
});

test('a chunked answer split at every byte, over a socket', async () => {
  const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
  const server = await peer((socket, number) => {
    socket.setNoDelay();
    socket.write(text.slice(0, number));
    setImmediate(() => socket.write(text.slice(number)));
  });
  const bodies: string[] = [];
  const identify = (response: { body: Buffer }) => {
    bodies.push(response.body.toString());
    return 'body';
  };
  const report = await run({ target: server.target, requests: text.length - 1, identify });
  expect(report.total).toMatchObject({ failed: 0, servedBy: { body: text.length - 1 } });
  expect(new Set(bodies)).toEqual(new Set(['hello']));
  expect(server.connections()).toBe(1);
});

test('a new connection for each request', async () => {
  const server = await peer((socket) => socket.write(OK));
  const report = await run({ target: server.target, mode: 'new-connection', clients: 2, requests: 10 });
  expect(report.total).toMatchObject({ requests: 10, failed: 0, connections: { opened: 10, closedAnnounced: 0 } });
  expect(server.connections()).toBe(10);
});

test('over a Unix socket, with a path, a method and headers of its own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const seen: unknown[] = [];
  const server = http.createServer((request, response) => {
    seen.push([request.method, request.url, request.headers['x-one']]);
    response.end();
  });
  server.listen(join(folder, 'http.sock'));
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const target = `unix:${join(folder, 'http.sock')}`;
  const report = await run({ target, requests: 2, path: '/a?b', method: 'HEAD', headers: { 'X-One': '1' } });
  expect(report.total).toMatchObject({ requests: 2, failed: 0, servedBy: { unknown: 2 } });
  expect(seen).toEqual(Array(2).fill(['HEAD', '/a?b', '1']));
});

test('a fixed rate counts the time a request had to wait for a free client', async () => {
  // One client, 100 requests a second, and the first answer is held back for 300 ms: every request that became due
  // meanwhile waited, although each was answered at once when it was sent.
  let sentAt = 0;
  let held = 0;
  const server = await peer((socket, number) => {
    if (number > 1) socket.write(OK);
    else {
      sentAt = performance.now();
      setTimeout(() => {
        held = performance.now() - sentAt;
        socket.write(OK);
      }, 300);
    }
  });
  const report = await run({
    target: server.target,
    loop: { kind: 'fixed-rate', requestsPerSecond: 100 },
    requests: 30,
  });
  expect(report.total).toMatchObject({ requests: 30, failed: 0 });
  // The n-th was due 10 n ms after the first, and could not be answered before `held`: half of them waited for half of it.
  expect(report.total.latency.max).toBeGreaterThanOrEqual(held - 5);
  expect(report.total.latency.p50).toBeGreaterThanOrEqual(held - 170);
  expect(report.total.longestGap).toBeGreaterThanOrEqual(held - 5);
});

test('a fixed rate is kept over all clients', async () => {
  const server = await peer((socket) => socket.write(OK));
  const startedAt = performance.now();
  const loop = { kind: 'fixed-rate', requestsPerSecond: 500 } as const;
  const report = await run({ target: server.target, clients: 10, loop, requests: 101 });
  // The 101st is due 200 ms after the first, and never earlier.
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(199);
  expect(report.total.requests).toBe(101);
});

test('what is due and was not sent is reported as overdue', async () => {
  const server = await peer(() => undefined);
  const loop = { kind: 'fixed-rate', requestsPerSecond: 1000 } as const;
  const load = newLoad({ target: server.target, loop, timeout: 60 });
  const failure = once(load, 'failure');
  load.start();
  await failure;
  const report = await load.stop();
  expect(report.overdue).toBeGreaterThanOrEqual(50);
  expect(report.inFlight).toBe(0);
  expect(combinedReport('after', [load]).overdue).toBe(report.overdue);
});

test('stop awaits the requests in flight, and sends no more', async () => {
  const asked: net.Socket[] = [];
  let arrived: () => void = () => undefined;
  const both = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const server = await peer((socket) => {
    asked.push(socket);
    if (asked.length === 2) arrived();
  });
  const load = newLoad({ target: server.target, clients: 2 });
  load.start();
  await both;
  const stopped = load.stop();
  expect(load.snapshot()).toMatchObject({ inFlight: 2, total: { requests: 0 } });
  for (const socket of asked) socket.write(OK);
  const report = await stopped;
  expect(report).toMatchObject({ inFlight: 0, total: { requests: 2, failed: 0 } });
  expect(server.requests()).toBe(2);
  expect(await load.stop()).toBe(report);
});

test('phases: each has its own counts, and the gap that lasts into one belongs to it', async () => {
  let name = 'one';
  let silent: (() => void) | undefined;
  const server = await peer((socket) => {
    const answer = () => socket.write(`HTTP/1.1 200 OK\r\nX-Served-By: ${name}\r\nContent-Length: 0\r\n\r\n`);
    if (name === 'none') silent = answer;
    else answer();
  });
  const load = newLoad({ target: server.target, label: 'before' });
  load.start();
  await once(load, 'answer');
  name = 'none';
  while (silent === undefined) await new Promise(setImmediate);
  const silentSince = performance.now();
  load.mark('after');
  while (performance.now() - silentSince < 40) await new Promise(setImmediate);
  name = 'two';
  const answered = once(load, 'answer');
  silent();
  await answered;
  const { phases, total } = await load.stop();
  expect(phases.map(({ label }) => label)).toEqual(['before', 'after']);
  expect(Object.keys(phases[0]?.servedBy ?? {})).toEqual(['one']);
  expect(Object.keys(phases[1]?.servedBy ?? {})).toEqual(['two']);
  expect(phases[1]?.longestGap).toBeGreaterThanOrEqual(40);
  expect(total.longestGap).toBe(Math.max(...phases.map(({ longestGap }) => longestGap)));
  expect(total.requests).toBe((phases[0]?.requests ?? 0) + (phases[1]?.requests ?? 0));
});

test('several loads in one report, phase by phase', async () => {
  const good = await peer((socket) => socket.write(OK));
  const bad = await peer((socket) => socket.end());
  const loads = [good, bad].map(({ target }) => newLoad({ target, requests: 4, label: 'only' }));
  const finished = loads.map((load) => once(load, 'finished'));
  for (const load of loads) load.start();
  await Promise.all(finished);
  await Promise.all(loads.map((load) => load.stop()));
  const report = combinedReport('both', loads);
  expect(report.phases.length).toBe(1);
  expect(report.total).toMatchObject({ requests: 8, failed: 4, servedBy: { one: 4 } });
  expect(report.phases[0]).toMatchObject({ label: 'only', requests: 8, failed: 4 });
});

test('options that cannot be meant are refused', () => {
  expect(() => new LoadClient({ target: 'https://127.0.0.1/' })).toThrow(/neither http/);
  expect(() => new LoadClient({ target: 'unix:' })).toThrow(/no path/);
  expect(() => new LoadClient({ target: 'http://127.0.0.1/', clients: 0 })).toThrow(/clients/);
  expect(() => new LoadClient({ target: 'http://127.0.0.1/', headers: { A: 'b\r\nC: d' } })).toThrow(/line break/);
});

describe('the command', () => {
  const command = (...commandArguments: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'bench/load.ts', ...commandArguments]).then(
      ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );

  test('exits with 0 and prints JSON if nothing failed', async () => {
    const server = await peer((socket) => socket.write(OK));
    const twice = ['--clients', '2', '--mode', 'keep-alive', '--clients', '1', '--mode', 'new-connection'];
    const { code, stdout } = await command(server.target, '--requests', '6', '--pause', '0', '--json', ...twice);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ total: { requests: 12, failed: 0 }, loads: [{}, {}] });
  });

  test('exits with 1 and shows examples if anything failed', async () => {
    const server = await peer((socket, number) => (number === 3 ? socket.end() : socket.write(OK)));
    const { code, stdout } = await command(server.target, '--requests', '6', '--clients', '1', '--pause', '1');
    expect(code).toBe(1);
    expect(stdout).toContain('failed: 1 closed-before-answer');
  });

  test('exits with 2 for a wrong command line', async () => {
    expect(await command('127.0.0.1:80')).toMatchObject({ code: 2, stderr: expect.stringContaining('usage') });
    expect(await command('http://127.0.0.1/', '--rate', '1', '--pause', '1')).toMatchObject({ code: 2 });
  });
});
