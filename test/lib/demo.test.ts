import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { type DemoModel, plainLine, screen } from '../../bench/demo-screen.ts';
import { LoadClient } from '../../bench/load-client.ts';
import { phaseTable } from '../../bench/load-table.ts';
import { type Generation, ServerProcesses } from '../../bench/server-process.ts';

const MODEL: DemoModel = {
  load: '100 keep-alive and 20 new-connection clients on http://127.0.0.1:8080/',
  phase: 'replacement 1 of 5: SIGHUP',
  elapsed: 12_345,
  generations: [
    { generation: 0, pid: 100, state: 'gone', requestsPerSecond: 0, requests: 24_201 },
    { generation: 1, pid: 4_194_304, state: 'draining', requestsPerSecond: 1, requests: 29_118 },
    { generation: 2, pid: 300, state: 'serving', requestsPerSecond: 10_000, requests: 1_234_567 },
  ],
  fullRate: 10_000,
  failed: 0,
  closedAnnounced: 3,
  closedUnannounced: 4,
  p99: 3.14,
  longestGap: 12.5,
  webSockets: { messages: 65_432, lost: 0, closed: 2 },
};

describe('the screen', () => {
  test('at 80 columns', () => {
    expect(screen(MODEL, { columns: 80, colours: false })).toEqual([
      'replacement 1 of 5: SIGHUP                                                12.3 s',
      '100 keep-alive and 20 new-connection clients on http://127.0.0.1:8080/',
      '',
      'generation      pid  state     requests/s    requests',
      '         0      100  gone               0      24,201',
      '         1  4194304  draining           1      29,118  ▏',
      '         2      300  serving       10,000   1,234,567  █████████████████████████',
      '',
      'failed 0   connections closed 3 announced, 4 unannounced',
      'lost 0   WebSockets closed 2, 65,432 messages',
      'p99 3.1 ms   longest gap 12.5 ms',
    ]);
  });

  test.each([1, 10, 40, 55, 56, 80, 120, 300])('no line is longer than %d columns', (columns) => {
    for (const line of screen(MODEL, { columns, colours: true })) {
      expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(columns);
    }
  });

  test('colours only say what the words say too', () => {
    const coloured = screen(MODEL, { columns: 80, colours: true });
    expect(coloured.join('')).toContain('\u001b[');
    const trimmed = coloured.map((line) => stripVTControlCharacters(line));
    expect(trimmed).toEqual(screen(MODEL, { columns: 80, colours: false }));
  });

  test('before the first answer there is no bar', () => {
    const generations = [{ generation: 0, pid: 1, state: 'serving', requestsPerSecond: 0, requests: 0 }] as const;
    const lines = screen({ ...MODEL, generations, fullRate: 0 }, { columns: 80, colours: false });
    expect(lines[4]).toBe('         0        1  serving            0           0');
  });

  test('as one plain line', () => {
    expect(plainLine(MODEL)).toBe(
      ' 12.3 s  generation 1 (pid 4194304) 1 requests/s, generation 2 (pid 300) 10,000 requests/s, failed 0, lost 0',
    );
  });
});

test('the table fits 80 columns, with large numbers too', async () => {
  const { phases } = await new LoadClient({ target: 'unix:/nowhere', label: '5 started separately' }).stop();
  const large = phases.map((phase) => ({
    ...phase,
    requests: 999_999,
    connections: { ...phase.connections, closedAnnounced: 12_345, closedUnannounced: 12_345 },
    latency: { p50: 12.3, p90: 999, p99: 999, max: 9_999 },
    longestGap: 9_999,
  }));
  const lines = phaseTable('replacement', large).split('\n');
  expect(lines.at(-1)?.split(/ {2,}/)).toEqual([
    '5 started separately',
    '999,999',
    '0',
    '12,345',
    '12,345',
    '12.3',
    '999',
    '9,999',
  ]);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
});

describe('the server processes', () => {
  const cleanups: (() => unknown)[] = [];
  const never = new AbortController().signal;

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  /** A program that announces itself, unless it is told otherwise by its environment. */
  function servers(program: string, environment: Record<string, string> = {}): ServerProcesses {
    const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-'));
    const file = join(folder, 'server.mjs');
    writeFileSync(file, program);
    const processes = new ServerProcesses({ program: file, environment });
    cleanups.push(async () => {
      await processes.close();
      rmSync(folder, { recursive: true });
    });
    return processes;
  }

  const alive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  const SERVER = `
    import { spawn } from 'node:child_process';
    const generation = Number(process.env.GENERATION ?? 0);
    const leave = () => { console.log('gone pid=' + process.pid); process.exit(); };
    process.on('SIGTERM', leave);
    process.on('SIGHUP', () => {
      const env = { ...process.env, GENERATION: String(generation + 1) };
      spawn(process.execPath, process.argv.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env })
        .on('message', () => { console.log('draining pid=' + process.pid); leave(); });
    });
    setInterval(() => undefined, 1000);
    console.log('something else');
    console.log('ready pid=' + process.pid + ' generation=' + generation + ' port=80');
    if (process.send) process.send('ready', () => process.disconnect());
  `;

  test('follows a successor that it did not start, and ends it', async () => {
    const processes = servers(SERVER);
    const first = await processes.next(() => processes.spawn(), 30_000, never);
    expect(first).toMatchObject({ generation: 0, port: 80, state: 'serving' });
    const gone = new Promise<Generation>((resolve) => {
      processes.on('change', (generation) => generation.state === 'gone' && resolve(generation));
    });
    const second = await processes.next(() => processes.signal('SIGHUP'), 30_000, never);
    expect(second.generation).toBe(1);
    expect((await gone).pid).toBe(first.pid);
    expect(processes.generations.map(({ state }) => state)).toEqual(['gone', 'serving']);
    await processes.close();
    expect(processes.generations.map(({ state }) => state)).toEqual(['gone', 'gone']);
    // Its own child is reaped; of the other one it is known that its end of the output is closed.
    expect(alive(first.pid)).toBe(false);
  });

  test('one that fails to start is shown with what it wrote', async () => {
    const processes = servers(`console.error('no such luck'); process.exit(3);`);
    const next = processes.next(() => processes.spawn(), 30_000, never);
    await expect(next).rejects.toThrow(/ended: code 3\nIt wrote on standard error:\nno such luck/);
  });

  test('one that never becomes ready is not waited for beyond the deadline, and is ended', async () => {
    const processes = servers('setInterval(() => undefined, 1000)');
    const next = processes.next(() => processes.spawn(), 50, never);
    await expect(next).rejects.toThrow(/no new server process was ready within 0.05 s/);
  });

  test('waiting can be given up', async () => {
    const processes = servers('setInterval(() => undefined, 1000)');
    const abort = new AbortController();
    const next = processes.next(() => processes.spawn(), 30_000, abort.signal);
    abort.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    // It would be given time to announce itself otherwise.
    processes.kill();
  });

  test('one that does not end when it is asked to is killed', async () => {
    const processes = servers(SERVER.replace("process.on('SIGTERM', leave)", "process.on('SIGTERM', () => undefined)"));
    const { pid } = await processes.next(() => processes.spawn(), 30_000, never);
    const ended = once(processes, 'ended');
    processes.kill();
    expect((await ended).slice(1)).toEqual(['SIGKILL', false]);
    await processes.close();
    expect(alive(pid)).toBe(false);
  });
});
