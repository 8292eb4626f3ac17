import { expect, test } from 'vitest';
import { type Progress, type Response, ResponseParser } from '../../bench/response-parser.ts';

function parse(text: string, options: ConstructorParameters<typeof ResponseParser>[0] = {}): Progress {
  return new ResponseParser({ keepBody: true, ...options }).read(Buffer.from(text, 'latin1'));
}

function complete(progress: Progress): Response {
  if (progress.kind !== 'complete') throw new Error(`not complete: ${JSON.stringify(progress)}`);
  return progress.response;
}

const CHUNKED =
  'HTTP/1.1 100 Continue\r\n\r\n' +
  'HTTP/1.1 200 OK\r\nX-Served-By: 42\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n' +
  '5\r\nhello\r\n1;name="value"\r\n \r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n';

test('an answer with a length', () => {
  const response = complete(parse('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:1\r\nx-a: 2 \r\n\r\nhello'));
  expect(response.status).toBe(200);
  expect(response.headers.get('x-a')).toBe('1, 2');
  expect(response.body.toString()).toBe('hello');
  expect(response.announcesClose).toBe(false);
});

test('a chunked answer with an interim one before it and a trailer, split at every byte', () => {
  const bytes = Buffer.from(CHUNKED);
  for (let at = 0; at <= bytes.length; at++) {
    const parser = new ResponseParser({ keepBody: true });
    const first = parser.read(bytes.subarray(0, at));
    const progress = at === bytes.length ? first : parser.read(bytes.subarray(at));
    expect(complete(progress).body.toString(), `split at ${at}`).toBe('hello 0123456789');
  }
});

test('byte by byte, twice on one connection', () => {
  const parser = new ResponseParser({ keepBody: true });
  for (let round = 0; round < 2; round++) {
    expect(parser.begun).toBe(false);
    const progress = Array.from(Buffer.from(CHUNKED), (byte) => parser.read(Buffer.from([byte])));
    expect(progress.slice(0, -1).every(({ kind }) => kind === 'incomplete')).toBe(true);
    expect(complete(progress.at(-1) as Progress).body.toString()).toBe('hello 0123456789');
  }
});

test('what is kept does not change with the memory that was read from', () => {
  const parser = new ResponseParser({ keepBody: true });
  for (const part of ['HTTP/1.1 200 OK\r\nContent-Le', 'ngth: 4\r\n\r\nab', 'cd']) {
    const bytes = Buffer.from(part);
    const progress = parser.read(bytes);
    bytes.fill('x');
    if (progress.kind === 'complete') expect(progress.response.body.toString()).toBe('abcd');
  }
});

test.each([
  ['HTTP/1.1 204 No Content\r\n\r\n', 'GET'],
  ['HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n', 'GET'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n', 'HEAD'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'HEAD'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'GET'],
])('%j to %s has no body', (text, method) => {
  expect(complete(parse(text, { method })).body.length).toBe(0);
});

test.each([
  ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', true],
  ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x , Close\r\n\r\n', true],
  ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n', false],
  ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', true],
  ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n', false],
])('%j announces a close: %s', (text, announced) => {
  expect(complete(parse(text)).announcesClose).toBe(announced);
});

test('a body without a length ends with the connection, which announces the close', () => {
  const parser = new ResponseParser({ keepBody: true });
  expect(parser.read(Buffer.from('HTTP/1.1 200 OK\r\n\r\nhello'))).toEqual({ kind: 'incomplete' });
  const response = complete(parser.end());
  expect(response.body.toString()).toBe('hello');
  expect(response.announcesClose).toBe(true);
});

test('the end of the connection completes no other answer', () => {
  for (const text of ['', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na']) {
    const parser = new ResponseParser();
    parser.read(Buffer.from(text));
    expect(parser.end()).toEqual({ kind: 'incomplete' });
  }
});

test('bytes after an answer are surplus', () => {
  expect(parse('HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK')).toMatchObject({ kind: 'complete', surplus: 15 });
  expect(parse(`${CHUNKED}x`)).toMatchObject({ kind: 'complete', surplus: 1 });
  expect(parse('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc')).toMatchObject({ kind: 'complete', surplus: 2 });
});

const MALFORMED = [
  'garbage',
  'HTTP/2',
  'HTTP/1.2 200 OK\r\n\r\n',
  'HTTP/1.1 20 OK\r\n\r\n',
  'HTTP/1.1  200 OK\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
  'HTTP/1.1 200 OK\r\nSpace : 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nFolded: 1\r\n 2\r\n\r\n',
  'HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n',
  `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`,
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(10_000)}`,
];

test.each(MALFORMED.map((text) => [text.slice(0, 70), text] as const))('malformed: %j', (_, text) => {
  expect(parse(text)).toMatchObject({ kind: 'malformed', reason: expect.stringMatching(/./) });
  // The same however the bytes come. A head is searched anew with every byte: not for the long ones.
  if (text.length > 1000) return;
  const parser = new ResponseParser();
  const kinds = Array.from(Buffer.from(text, 'latin1'), (byte) => parser.read(Buffer.from([byte])).kind);
  expect(kinds).toContain('malformed');
  expect(kinds).not.toContain('complete');
});
