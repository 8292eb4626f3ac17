import { expect, it } from 'vitest';
import { drainingTable } from '../../../../lib/cli/requests/draining-table.ts';

const plain = (_colour: string, text: string) => text;

it('there is none where nobody drains, and where the other side knows nothing of it', () => {
  expect(drainingTable({ draining: [] }, plain)).toBe('');
  expect(drainingTable({}, plain)).toBe('');
  expect(drainingTable({ draining: 'many' }, plain)).toBe('');
});

it('has a line for each, with what it waits for', () => {
  const now = Date.now();
  const table = drainingTable(
    {
      draining: [
        {
          pid: 11,
          generation: 0,
          since: new Date(now - 65_000).toISOString(),
          until: new Date(now + 3_500_500).toISOString(),
          waitsFor: {
            connections: 3,
            kinds: { answer: 1, websocket: 2 },
            answers: [{ path: '/events\u001b[31m', age: 70_000 }],
          },
        },
        { pid: 12, generation: 1, since: null, until: null, waitsFor: 'silent' },
        { pid: 13, generation: 2, since: null, until: null, waitsFor: 'unasked' },
      ],
    },
    plain,
  );
  const lines = table.split('\n').map((line) => line.trim());
  expect(lines[0]).toMatch(/^draining generation +pid +for +at most +connections +waits for$/);
  expect(lines[1]).toMatch(/^0 +11 +1m 5s +58m 20s +3 +1 answer, 2 websocket, \/events for 1m 10s$/);
  expect(lines[2]).toMatch(/^1 +12 +- +- +- +does not answer: it is stopped, or hangs$/);
  expect(lines[3]).toMatch(/^2 +13 .*an earlier version, which does not tell$/);
});

it('what another program says there instead is no reason to fail', () => {
  expect(drainingTable({ draining: [{ waitsFor: { answers: 7, kinds: null } }, { waitsFor: 3 }] }, plain)).toContain(
    '-',
  );
});
