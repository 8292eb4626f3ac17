import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Health, healthListener } from '../../../lib/app/health.ts';

let health: Health;
let server: http.Server;
beforeEach(async () => {
  health = { healthy: true, pid: 7, generation: 2, phase: 'serving' };
  server = http.createServer(healthListener(() => health)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

function ask(method = 'GET'): Promise<Response> {
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { method });
}

test('200 while it serves, and what it is doing', async () => {
  const response = await ask();
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toEqual({ status: 'ok', pid: 7, generation: 2, phase: 'serving' });
});

test('503 from the moment on which it does not', async () => {
  await (await ask()).text();
  health = { ...health, healthy: false, phase: 'shutting-down' };
  const response = await ask();
  expect(response.status).toBe(503);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.json()).toMatchObject({ status: 'unavailable', phase: 'shutting-down' });
});

test('HEAD gets the head alone', async () => {
  const response = await ask('HEAD');
  expect(response.status).toBe(200);
  expect(Number(response.headers.get('content-length'))).toBeGreaterThan(0);
  expect(await response.text()).toBe('');
});
