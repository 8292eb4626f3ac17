import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { close, dup } from '../../../lib/fd/descriptor.ts';
import { bindTcp, bindUnix, listen } from '../../../lib/fd/socket.ts';
import { parseReadiness } from '../../../lib/programs/readiness.ts';
import { askUntilServing } from '../../../lib/programs/readiness-probe.ts';
import { never } from '../../support/never.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

type Asking = Parameters<typeof askUntilServing>[0];

/** The session of this process, whose server is asked. */
const session = Number(
  readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ')[3],
);
const anotherSession = 2 ** 30;

let listener: number;
let server: http.Server;
let requests: string[];
beforeEach(() => {
  requests = [];
  listener = bindTcp('127.0.0.1', 0);
  listen(listener, 10);
  server = http.createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    // Unhealthy at first.
    response.statusCode = requests.length < 3 ? 503 : 204;
    response.end();
  });
});
afterEach(() => {
  server.close();
  close(listener);
});

function asking(text: string): Asking {
  return parseReadiness(text) as Asking;
}

function serve(): Promise<void> {
  return new Promise((resolve) => {
    server.listen({ fd: dup(listener) }, resolve);
  });
}

describe.runIf(process.platform === 'linux')('a program is asked on its own listener', () => {
  const listeners = () => [{ name: 'web', fd: listener }];

  it('until it accepts', async () => {
    let asked = false;
    const asks = askUntilServing(asking('tcp'), listeners(), session, never).then(() => {
      asked = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(asked).toBe(false);
    await serve();
    await asks;
    expect(requests).toEqual([]);
  });

  it('until it answers with a status below 400', async () => {
    await serve();
    await askUntilServing(asking('http:/up?x=1'), listeners(), session, never);
    expect(requests).toEqual(['GET /up?x=1', 'GET /up?x=1', 'GET /up?x=1']);
  });

  it('and what another process answers does not count', async () => {
    await serve();
    const limit = AbortSignal.timeout(500);
    await expect(askUntilServing(asking('tcp'), listeners(), anotherSession, limit)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
    });
    // Whoever accepts there has got half of a request.
    const again = AbortSignal.timeout(500);
    await expect(askUntilServing(asking('http:/'), listeners(), anotherSession, again)).rejects.toThrow();
    expect(requests).toEqual([]);
  });

  it.each([
    ['::', false],
    ['::', true],
    ['::1', true],
    ['0.0.0.0', false],
  ])('which is %s, only for IPv6: %s', async (address, ipv6Only) => {
    close(listener);
    listener = bindTcp(address, 0, { ipv6Only });
    listen(listener, 10);
    await serve();
    await askUntilServing(asking('http:/'), listeners(), session, never);
    expect(requests).toHaveLength(3);
  });

  it('which has to be one of TCP', async () => {
    using folder = new TemporaryFolder();
    const unix = bindUnix(folder.file('socket'));
    await expect(askUntilServing(asking('tcp'), [{ name: 'a', fd: unix }], session, never)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_REFUSED',
    });
    close(unix);
  });
});

it('an address of its own is nobody else’s', async () => {
  await serve();
  const { port } = server.address() as AddressInfo;
  await askUntilServing(asking(`tcp:${port}`), [], anotherSession, never);
  await askUntilServing(asking(`http://127.0.0.1:${port}/up`), [], anotherSession, never);
  expect(requests).toHaveLength(3);
});
