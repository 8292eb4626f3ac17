import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { type ConnectionHooks, ConnectionMemory } from '../../../../lib/servers/moving/connection-memory.ts';

const socket = new Socket();

function memory(hooks: Partial<ConnectionHooks>): { memory: ConnectionMemory; reports: Error[] } {
  const reports: Error[] = [];
  const all = { save: () => null, restore: () => {}, ...hooks };
  return { memory: new ConnectionMemory('web', all, (error) => reports.push(error)), reports };
}

const circular: { self?: unknown } = {};
circular.self = circular;

it.each([
  ['an object', { client: '203.0.113.7' }],
  ['null, which says that nothing is known', null],
  ['as much as may be', 'x'.repeat(128 * 1024 - 2)],
])('%s goes along', (_, known) => {
  const { memory: kept, reports } = memory({ save: (given) => (given === socket ? known : 'of another') });
  expect(kept.save(socket)).toEqual(known);
  expect(reports).toEqual([]);
});

it.each<[string, () => unknown, string]>([
  [
    'throws',
    () => {
      throw new Error('no session');
    },
    'no session',
  ],
  [
    'throws what is no error',
    () => {
      throw 'a word';
    },
    'a word',
  ],
  ['returns undefined', () => undefined, 'it returned undefined'],
  ['returns a function', () => () => {}, 'it returned function'],
  ['returns what refers to itself', () => circular, 'circular'],
  ['returns a promise that is kept', async () => 'later', 'it returned a promise'],
  ['returns a promise that is not', () => Promise.reject(new Error('later')), 'it returned a promise'],
  ['returns too much', () => 'x'.repeat(128 * 1024), 'it returned 131074 bytes, and 131072 can go along'],
])('where save() %s the connection stays, and the first such is told at each handoff', (_, save, reason) => {
  const { memory: kept, reports } = memory({ save: save as ConnectionHooks['save'] });
  for (let times = 0; times < 3; times++) expect(kept.save(socket)).toBeUndefined();
  expect(reports).toEqual([
    expect.objectContaining({ code: 'ERR_HANDOFF_REFUSED', message: expect.stringContaining(reason) }),
  ]);
  expect(reports[0]?.message).toContain('"web"');
  kept.renew();
  expect(kept.save(socket)).toBeUndefined();
  expect(reports).toHaveLength(2);
});

it('restore() gets what was saved', () => {
  const restored: unknown[] = [];
  const { memory: kept, reports } = memory({ restore: (...given) => void restored.push(given) });
  expect(kept.restore(socket, { client: 'me' })).toBe(true);
  expect(restored).toEqual([[socket, { client: 'me' }]]);
  expect(reports).toEqual([]);
});

it.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('unknown session');
    },
  ],
  ['returns a promise', () => Promise.reject(new Error('later'))],
])('where restore() %s it has refused the connection, and the first such is told', (_, restore) => {
  const { memory: kept, reports } = memory({ restore: restore as ConnectionHooks['restore'] });
  for (let times = 0; times < 3; times++) expect(kept.restore(socket, null)).toBe(false);
  expect(reports).toHaveLength(1);
  expect(reports[0]?.message).toMatch(/restore\(\).*"web"/);
});
