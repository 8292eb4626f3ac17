import http from 'node:http';
import type { Socket } from 'node:net';
import { pathToFileURL } from 'node:url';

/** What clients have seen that ask again in the instant of every answer. */
export interface PollTally {
  answered: number;
  /** What went wrong, in the client's own words. */
  readonly failures: string[];
  /** Connections that the server has closed although its last answer on them had not said so. */
  closedUnannounced: number;
  /** The processes that have answered. */
  readonly servedBy: Set<number>;
}

/** Clients that are never idle: each sends its next request as soon as it has an answer, until `stop()`. */
export interface PollClients {
  readonly tally: PollTally;
  /** Sends no more; resolves when every request that was sent has its outcome. */
  stop(): Promise<void>;
}

/** One request: resolves with the headers of the answer, once that has been read to its end. */
type Ask = () => Promise<{ readonly [name: string]: unknown }>;

/** Node's own client, each with an agent of its own that keeps one connection. */
export function nodePollers(count: number, port: number): PollClients {
  return pollers(count, (tally) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    let announced = false;
    let stopped = false;
    const watched = new WeakSet<Socket>();
    const watch = (socket: Socket) => {
      if (watched.has(socket)) return;
      watched.add(socket);
      socket.once('close', () => {
        if (!announced && !stopped) tally.closedUnannounced++;
        announced = false;
      });
    };
    const ask: Ask = () =>
      new Promise((resolve, reject) => {
        const request = http.get({ port, host: '127.0.0.1', path: '/poll', agent }, (response) => {
          announced = response.headers.connection === 'close';
          response.resume().once('end', () => resolve(response.headers));
          response.once('error', reject);
        });
        request.once('socket', watch).once('error', reject);
      });
    const close = () => {
      stopped = true;
      agent.destroy();
    };
    return { ask, close };
  });
}

/** The client of undici, which is the one of `fetch()`; each has one connection. @param file the package's own */
export async function undiciPollers(count: number, port: number, file: string): Promise<PollClients> {
  const { default: undici } = await import(pathToFileURL(file).href);
  return pollers(count, () => {
    const client = new undici.Client(`http://127.0.0.1:${port}`, { pipelining: 1 });
    const ask: Ask = async () => {
      const { headers, body } = await client.request({ path: '/poll', method: 'GET' });
      await body.dump();
      return headers;
    };
    return { ask, close: () => void client.close() };
  });
}

function pollers(count: number, open: (tally: PollTally) => { ask: Ask; close: () => void }): PollClients {
  const tally: PollTally = { answered: 0, failures: [], closedUnannounced: 0, servedBy: new Set() };
  let stopped = false;
  const poll = async () => {
    const { ask, close } = open(tally);
    while (!stopped) {
      try {
        const headers = await ask();
        tally.answered++;
        tally.servedBy.add(Number(headers['x-served-by']));
      } catch (error) {
        tally.failures.push(String(error));
      }
    }
    close();
  };
  const polling = Array.from({ length: count }, poll);
  return {
    tally,
    async stop() {
      stopped = true;
      await Promise.all(polling);
    },
  };
}
