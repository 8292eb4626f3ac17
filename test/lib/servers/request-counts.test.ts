import http from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { RequestCounts } from '../../../lib/servers/request-counts.ts';

function begun(counts: RequestCounts, socket: Socket): boolean {
  const response = new http.ServerResponse(new http.IncomingMessage(socket));
  response.shouldKeepAlive = true;
  counts.begin(socket, response);
  return response.shouldKeepAlive;
}

function limited(limit: number | null): RequestCounts {
  const server = http.createServer();
  server.maxRequestsPerSocket = limit;
  return new RequestCounts(server);
}

it.each([0, null])('are not kept without a limit (%s), and those before are', (limit) => {
  const counts = limited(limit);
  const socket = new Socket();
  expect(begun(counts, socket)).toBe(true);
  expect(counts.of(socket)).toBe(0);
  counts.carry(socket, 5);
  expect(begun(counts, socket)).toBe(true);
  expect(counts.of(socket)).toBe(5);
});

it('with a limit those of all processes count, and the answer to the last one says so', () => {
  const counts = limited(4);
  const socket = new Socket();
  counts.carry(socket, 2);
  expect(counts.areAllBefore(socket)).toBe(true);
  expect([begun(counts, socket), begun(counts, socket), begun(counts, socket)]).toEqual([true, false, false]);
  expect(counts.of(socket)).toBe(5);
});

it('a connection that began here is left to Node', () => {
  const counts = limited(1);
  const socket = new Socket();
  expect([begun(counts, socket), begun(counts, socket)]).toEqual([true, true]);
  expect(counts.of(socket)).toBe(2);
});
