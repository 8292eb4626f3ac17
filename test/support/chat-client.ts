import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** How a message goes out. */
type Manner = 'whole' | 'in fragments' | 'compressed';

const manners: readonly Manner[] = ['whole', 'in fragments', 'compressed'];

/** Longer than what `ws` compresses from, and easily compressed. */
const long = 'a message that is long enough to be compressed; '.repeat(40);

export interface ChatOptions {
  readonly address: string;
  readonly name: string;
  /** Whether its connection can compress. */
  readonly compresses: boolean;
}

/**
 * A member of a chat room (examples/chat-server.js). It numbers what it says, and checks that of everybody in the room it
 * hears number after number, its own included.
 */
export class ChatClient implements Disposable {
  readonly name: string;
  readonly webSocket: WebSocket;
  readonly faults: string[] = [];
  /** The number of the last message heard, by who has said it. */
  readonly heard = new Map<string, number>();
  readonly counts: Record<Manner, number> = { whole: 0, 'in fragments': 0, compressed: 0 };
  received = 0;
  said = 0;
  closeCode: number | null = null;
  #speaking: 'yes' | 'no' | 'for good' = 'no';
  #speech: Promise<void> = Promise.resolve();

  private constructor({ address, name, compresses }: ChatOptions) {
    this.name = name;
    this.webSocket = new WebSocket(`${address}?name=${name}`, { perMessageDeflate: compresses });
    this.webSocket.on('message', (data) => this.#hear(data.toString()));
    this.webSocket.on('error', ({ message }) => this.#fault(message));
    this.webSocket.on('close', (code) => {
      this.closeCode = code;
      if (this.#speaking !== 'for good') this.#fault(`closed with ${code}`);
    });
  }

  /** Resolves when the server has welcomed it: from then on it hears everything. */
  static async join(options: ChatOptions): Promise<ChatClient> {
    const client = new ChatClient(options);
    await once(client.webSocket, 'message');
    return client;
  }

  /** Says something again and again, after pauses of at most `pause` milliseconds. */
  speak(pause: number): void {
    this.#speaking = 'yes';
    this.#speech = this.#speak(pause);
  }

  /** Says nothing new from now on, and resolves when what was begun is said to its end. */
  fallSilent(): Promise<void> {
    this.#speaking = 'no';
    return this.#speech;
  }

  async say(manner: Manner): Promise<void> {
    this.counts[manner]++;
    const text = `${++this.said} ${manner === 'compressed' ? long : 'hello'}`;
    if (manner !== 'in fragments') {
      this.webSocket.send(text, { compress: manner === 'compressed' });
      return;
    }
    // In turns of their own: the server reads the one, and waits for the other.
    this.webSocket.send(text.slice(0, 3), { fin: false });
    await delay(5);
    this.webSocket.send(text.slice(3), { fin: true });
  }

  [Symbol.dispose](): void {
    this.#speaking = 'for good';
    this.webSocket.terminate();
  }

  async #speak(pause: number): Promise<void> {
    while (this.#speaking === 'yes') {
      await delay(Math.random() * pause);
      if (this.#speaking === 'yes') await this.say(manners[Math.floor(Math.random() * manners.length)] as Manner);
    }
  }

  #hear(data: string): void {
    const { name, text } = JSON.parse(data) as { name?: string; text?: string };
    if (name === undefined || text === undefined) return;
    this.received++;
    const last = this.heard.get(name) ?? 0;
    const number = Number.parseInt(text, 10);
    if (number !== last + 1) this.#fault(`heard number ${number} of ${name} after ${last}`);
    this.heard.set(name, number);
  }

  #fault(what: string): void {
    this.faults.push(`${this.name}: ${what}`);
  }
}
