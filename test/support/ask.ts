import http from 'node:http';

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly servedBy: number;
  readonly connection: string | undefined;
  readonly text: string;
}

/** Where to ask: a port of this machine, or the path of a socket. */
export type Where = { readonly port: number; readonly host?: string } | { readonly socketPath: string };

/** One request on a connection of its own. */
export function ask(where: Where, path = '/', body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: '127.0.0.1', ...where, path, agent: false, method: body === undefined ? 'GET' : 'POST' },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            servedBy: Number(response.headers['x-served-by']),
            connection: response.headers.connection,
            text,
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** One request whose answer is JSON. */
export async function askJson<Value>(where: Where, path: string, body?: unknown): Promise<Value> {
  return JSON.parse((await ask(where, path, body)).text) as Value;
}
