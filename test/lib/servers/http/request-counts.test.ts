import { channel, hasSubscribers } from 'node:diagnostics_channel';
import http from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { RequestCounts } from '../../../../lib/servers/http/request-counts.ts';

/** A server's counts, and what Node publishes when a request begins on one of its connections. */
class Limited implements Disposable {
  readonly counts: RequestCounts;
  readonly #server = http.createServer();

  constructor(limit: number | null) {
    this.#server.maxRequestsPerSocket = limit;
    this.counts = new RequestCounts(this.#server);
    this.counts.count();
  }

  /** Returns whether the answer leaves the connection open. */
  begun(socket: Socket): boolean {
    const request = new http.IncomingMessage(socket);
    const response = new http.ServerResponse(request);
    response.shouldKeepAlive = true;
    channel('http.server.request.start').publish({ server: this.#server, socket, request, response });
    return response.shouldKeepAlive;
  }

  [Symbol.dispose](): void {
    this.counts.forget();
  }
}

it.each([0, null])('are not kept without a limit (%s), and those before are', (limit) => {
  using limited = new Limited(limit);
  const { counts } = limited;
  const socket = new Socket();
  expect(limited.begun(socket)).toBe(true);
  expect(counts.of(socket)).toBe(0);
  counts.carry(socket, 5);
  expect(limited.begun(socket)).toBe(true);
  expect(counts.of(socket)).toBe(5);
});

it('with a limit those of all processes count, and the answer to the last one says so', () => {
  using limited = new Limited(4);
  const { counts } = limited;
  const socket = new Socket();
  counts.carry(socket, 2);
  expect(counts.areAllBefore(socket)).toBe(true);
  expect([limited.begun(socket), limited.begun(socket), limited.begun(socket)]).toEqual([true, false, false]);
  expect(counts.of(socket)).toBe(5);
});

it('a connection that began here is left to Node', () => {
  using limited = new Limited(1);
  const { counts } = limited;
  const socket = new Socket();
  expect([limited.begun(socket), limited.begun(socket)]).toEqual([true, true]);
  expect(counts.of(socket)).toBe(2);
});

it('nobody is told of requests where there is no limit', () => {
  using limited = new Limited(0);
  expect(limited.counts.of(new Socket())).toBe(0);
  expect(hasSubscribers('http.server.request.start')).toBe(false);
});
