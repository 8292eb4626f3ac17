import dgram from 'node:dgram';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What a load of datagrams was. */
export interface DatagramLoadReport {
  readonly sent: number;
  /** Datagrams a second, over the whole time. */
  readonly rate: number;
  /** What the kernel threw away because the buffer was full. */
  readonly dropped: number;
  /** The most that waited in the buffer, in bytes. */
  readonly longestQueue: number;
}

/** How often some are sent, in milliseconds: often enough that what is sent at once is far less than any buffer. */
const interval = 5;

/** How many at once, so that a sender that was late does not make up for it in one burst. */
const burst = 100;

/**
 * Sends numbered datagrams to a counter, at a steady rate. Of every 50 in a row each adds another power of two to one
 * counter: only all of them, each once, make 2 ** 50 - 1 of 50 datagrams. It pauses while the buffer is half full, because
 * UDP has nobody else who would.
 */
export class DatagramLoad {
  readonly #socket = dgram.createSocket({ type: 'udp4', sendBufferSize: 1024 * 1024 });
  readonly #port: number;
  readonly #rate: number;
  readonly #limit: number;
  readonly #running = new AbortController();
  readonly #sending: Promise<void>;
  #sent = 0;
  #longestQueue = 0;
  #duration = 0;

  /**
   * @param rate datagrams a second
   * @param bufferSize of the receiver, in bytes
   */
  constructor(port: number, rate: number, bufferSize: number) {
    this.#port = port;
    this.#rate = rate;
    this.#limit = bufferSize / 2;
    this.#sending = this.#send();
  }

  /** Ends it when all that was begun is sent. */
  async stop(): Promise<DatagramLoadReport> {
    this.#running.abort();
    await this.#sending;
    this.#socket.close();
    return {
      sent: this.#sent,
      rate: Math.round((this.#sent / this.#duration) * 1000),
      dropped: queueOf(this.#port).dropped,
      longestQueue: this.#longestQueue,
    };
  }

  /** What the counters must say when `sent` were received. */
  static counters(sent: number): { [name: string]: number } {
    const counters: { [name: string]: number } = {};
    for (let first = 0; first < sent; first += 50) counters[`part.${first / 50}`] = 2 ** Math.min(50, sent - first) - 1;
    return counters;
  }

  async #send(): Promise<void> {
    const begun = performance.now();
    while (!this.#running.signal.aborted) {
      const { waiting } = queueOf(this.#port);
      this.#longestQueue = Math.max(this.#longestQueue, waiting);
      const due = Math.floor(((performance.now() - begun) / 1000) * this.#rate) - this.#sent;
      if (waiting < this.#limit) await Promise.all(Array.from({ length: Math.min(due, burst) }, () => this.#sendOne()));
      await delay(interval);
    }
    this.#duration = performance.now() - begun;
  }

  #sendOne(): Promise<void> {
    const number = this.#sent++;
    const text = `part.${Math.floor(number / 50)}:${2 ** (number % 50)}|c`;
    return new Promise((resolve, reject) => {
      this.#socket.send(text, this.#port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** What `/proc/net/udp` says of the socket on a port. */
function queueOf(port: number): { waiting: number; dropped: number } {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/udp', 'latin1').split('\n');
  const fields = lines.map((line) => line.trim().split(/\s+/)).find((columns) => columns[1]?.endsWith(local));
  return { waiting: Number.parseInt(fields?.[4]?.split(':')[1] ?? '0', 16), dropped: Number(fields?.at(-1) ?? 0) };
}
