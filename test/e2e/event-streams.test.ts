import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const example = fileURLToPath(new URL('../../examples/event-stream-server.js', import.meta.url));

/** What an EventSource does: it comes back after the time that it was told, with the id of the last event. */
class EventReader {
  readonly ids: number[] = [];
  readonly servers = new Set<string>();
  failed = 0;
  #retry = 0;
  #request: http.ClientRequest | null = null;
  #timer: NodeJS.Timeout | undefined;
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
    this.#connect();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#retry = Number.POSITIVE_INFINITY;
    this.#request?.destroy();
  }

  #connect(): void {
    const last = this.ids.at(-1);
    const headers = last === undefined ? {} : { 'last-event-id': String(last) };
    let pending = '';
    this.#request = http.get({ port: this.#port, path: '/events', headers, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (text: string) => {
        const events = (pending + text).split('\n\n');
        pending = events.pop() ?? '';
        for (const event of events) this.#take(event);
      });
      response.on('error', () => this.#fail()).on('end', () => this.#again());
    });
    this.#request.on('error', () => this.#fail());
  }

  #take(event: string): void {
    const [, id, data] = /^id: (\d+)\ndata: (\d+)$/.exec(event) ?? [];
    if (id !== undefined && data !== undefined) {
      this.ids.push(Number(id));
      this.servers.add(data);
    }
    this.#retry = Number(/^retry: (\d+)$/.exec(event)?.[1] ?? this.#retry);
  }

  #fail(): void {
    if (Number.isFinite(this.#retry)) this.failed++;
  }

  #again(): void {
    if (Number.isFinite(this.#retry)) this.#timer = setTimeout(() => this.#connect(), this.#retry);
  }
}

test('event streams end with a word, and their clients go on with the next event at the next version', async () => {
  await using scene = new Scene();
  const server = scene.add(
    new Program(process.execPath, [example], { CONTROL: scene.control, PORT: '0', LATEST: '300' }),
  );
  let printed = '';
  server.child.stdout?.on('data', (text: string) => {
    printed += text;
  });
  const pids = () => [...printed.matchAll(/listening pid=(\d+)/g)].map(([, pid]) => pid as string);
  scene.add({
    end: async () => {
      for (const pid of pids()) kill(Number(pid));
    },
  });
  await eventually(() => pids().length === 1);
  const port = Number(/port=(\d+)/.exec(printed)?.[1]);
  const readers = Array.from({ length: 20 }, () => new EventReader(port));
  try {
    await eventually(() => readers.every(({ ids }) => ids.length > 1));
    server.signal('SIGHUP');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    const [, second] = pids() as [string, string];
    await eventually(() => readers.every(({ servers }) => servers.has(second)));
    for (const { ids, failed } of readers) {
      expect(failed).toBe(0);
      expect(
        ids.slice(1).filter((id, index) => id - (ids[index] as number) !== 50 && id - (ids[index] as number) !== 1),
      ).toEqual([]);
    }
  } finally {
    for (const reader of readers) reader.end();
  }
});

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has left.
  }
}
