import http from 'node:http';
import type { Answer } from './ask.ts';

/**
 * A request that a server has begun and cannot answer before the test lets it: its body is held back. As long as it is
 * held, a server that drains keeps draining.
 */
export class HeldRequest implements Disposable {
  readonly #request: http.ClientRequest;
  readonly #answer: Promise<Answer>;

  private constructor(request: http.ClientRequest) {
    this.#request = request;
    this.#answer = new Promise((resolve, reject) => {
      request.once('error', reject);
      request.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            servedBy: Number(response.headers['x-served-by']),
            connection: response.headers.connection,
            text,
          }),
        );
      });
    });
    // Looked at when it is released; a test that ends before that has its own failure to tell.
    this.#answer.catch(() => {});
  }

  /** Resolves when the server has read the head and asks for the body. */
  static async open(port: number, path = '/admin/descriptors'): Promise<HeldRequest> {
    const request = http.request({
      host: '127.0.0.1',
      port,
      path,
      method: 'POST',
      agent: false,
      headers: { expect: '100-continue', 'content-length': 2 },
    });
    const held = new HeldRequest(request);
    await new Promise<void>((resolve, reject) => {
      request.once('continue', resolve).once('error', reject);
      request.flushHeaders();
    });
    return held;
  }

  /** Sends the rest; resolves with the answer. */
  release(): Promise<Answer> {
    this.#request.end('{}');
    return this.#answer;
  }

  [Symbol.dispose](): void {
    this.#request.destroy();
  }
}
