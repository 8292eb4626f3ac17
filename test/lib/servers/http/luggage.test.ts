import http from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Luggage } from '../../../../lib/servers/http/luggage.ts';
import { RequestCounts } from '../../../../lib/servers/http/request-counts.ts';
import { ConnectionMemory } from '../../../../lib/servers/moving/connection-memory.ts';

interface Known extends Socket {
  client?: unknown;
}

const hooks = {
  save: (socket: Known) => (socket.client as string | undefined) ?? null,
  restore: (socket: Known, client: unknown) => {
    if (client === 'nobody') throw new Error('nobody knows it');
    socket.client = client;
  },
};

function luggage(remembers: boolean): { luggage: Luggage; counts: RequestCounts } {
  const counts = new RequestCounts(http.createServer());
  return { luggage: new Luggage(counts, remembers ? new ConnectionMemory('web', hooks, () => {}) : null), counts };
}

it('is how many requests there were, and what the application knows', () => {
  const from = luggage(true);
  const to = luggage(true);
  const socket: Known = new Socket();
  socket.client = '203.0.113.7';
  from.counts.carry(socket, 3);
  const packed = from.luggage.pack(socket);
  expect(packed).toEqual({ requests: 3, memory: '203.0.113.7' });
  const arrived: Known = new Socket();
  expect(to.luggage.unpack(arrived, packed as never)).toBe(true);
  expect([arrived.client, to.counts.of(arrived)]).toEqual(['203.0.113.7', 3]);
});

it.each([
  ['nobody has hooks', false, { requests: 0 }, true],
  ['both have', true, { requests: 0, memory: null }, true],
  ['the old process has no hooks', true, { requests: 1 }, false],
  ['the old process is of a version that says nothing', true, null, false],
  ['the new process has no hooks', false, { requests: 1, memory: null }, false],
  ['restore() refuses', true, { requests: 1, memory: 'nobody' }, false],
])('where %s', (_, remembers, packed, served) => {
  expect(luggage(remembers).luggage.unpack(new Socket(), packed)).toBe(served);
});

it.each([
  ['an older version, which says nothing', null, 1],
  ['nothing of requests', {}, 1],
  ['no request', { requests: 0 }, 0],
  ['what is no number', { requests: 'many' }, 0],
  ['less than none', { requests: -1 }, 0],
])('from %s', (_, packed, requests) => {
  const { luggage: to, counts } = luggage(false);
  const socket = new Socket();
  expect(to.unpack(socket, packed)).toBe(true);
  expect(counts.of(socket)).toBe(requests);
});
