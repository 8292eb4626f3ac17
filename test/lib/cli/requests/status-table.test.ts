import { expect, it } from 'vitest';
import { duration, statusTable } from '../../../../lib/cli/requests/status-table.ts';

const plain = (_colour: string, text: string) => text;

it('has a line for each listener and datagram socket', () => {
  const where = { address: null, port: null, path: null };
  const status = {
    pid: 4711,
    generation: 12,
    phase: 'serving',
    uptime: 3_723_000,
    listeners: [
      { ...where, name: 'web', address: '0.0.0.0', port: 8080, accepting: true, connections: 1234 },
      { ...where, name: 'admin', address: '::1', port: 9090, accepting: true, connections: 0 },
      { ...where, name: 'local', path: '/run/app/web.sock', accepting: false, connections: 3 },
      { ...where, name: 'held', address: '127.0.0.1', port: 80, accepting: false, connections: 0 },
    ],
    datagramSockets: [{ ...where, name: 'metrics', address: '127.0.0.1', port: 8125, receiving: true }],
  };
  expect(statusTable(status, plain)).toBe(
    [
      'name     address                   generation   pid  uptime  connections  phase',
      'web      0.0.0.0:8080                      12  4711   1h 2m         1234  serving',
      'admin    [::1]:9090                        12  4711   1h 2m            0  serving',
      'local    /run/app/web.sock                 12  4711   1h 2m            3  serving',
      'held     127.0.0.1:80                      12  4711   1h 2m            -  serving',
      'metrics  datagrams 127.0.0.1:8125          12  4711   1h 2m            -  serving',
    ].join('\n'),
  );
});

it('has one for a process that has neither, or is another program and says less', () => {
  expect(statusTable({ pid: 7, listeners: 'none', uptime: '?' }, plain).split('\n')[1]).toBe(
    '-     -                 -    7       -            -  -',
  );
});

it('has one for a socket of which less is known', () => {
  const table = statusTable({ listeners: [{ name: 'web', address: '::' }, { name: 'bare' }] }, plain);
  expect(table.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
    ['name', 'address'],
    ['web', '[::]:?'],
    ['bare', '-'],
  ]);
});

it('shows nothing that a terminal would obey', () => {
  const phase = 'serving\u001b[2J\u001b]0;title\u0007\r\nroot#';
  const table = statusTable({ phase, listeners: [{ name: '\u009b31mred', path: '/a\tb' }] }, plain);
  expect(table).not.toMatch(/[^\n\x20-\x7e]/);
  expect(table.split('\n')).toHaveLength(2);
});

it.each([
  [0, '0s'],
  [999, '0s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h 0m'],
  [90_061_000, '1d 1h'],
])('%i ms is %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});
