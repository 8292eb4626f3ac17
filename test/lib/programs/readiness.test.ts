import { expect, it } from 'vitest';
import { parseReadiness } from '../../../lib/programs/readiness.ts';

const listener = { at: 'listener' };

it.each([
  ['tcp', { by: 'tcp', asked: listener }],
  ['tcp:9000', { by: 'tcp', asked: { at: 'address', host: '127.0.0.1', port: 9000 } }],
  ['tcp:localhost:9000', { by: 'tcp', asked: { at: 'address', host: 'localhost', port: 9000 } }],
  ['tcp:[::1]:9000', { by: 'tcp', asked: { at: 'address', host: '::1', port: 9000 } }],
  ['http:/', { by: 'http', asked: listener, path: '/' }],
  ['http:/health?deep=1', { by: 'http', asked: listener, path: '/health?deep=1' }],
  ['http://127.0.0.1:9000/up', { by: 'http', asked: { at: 'address', host: '127.0.0.1', port: 9000 }, path: '/up' }],
  ['http://[::1]:9000', { by: 'http', asked: { at: 'address', host: '::1', port: 9000 }, path: '/' }],
  ['http://app.test/up', { by: 'http', asked: { at: 'address', host: 'app.test', port: 80 }, path: '/up' }],
  ['after:2s', { by: 'time', milliseconds: 2_000 }],
  ['after:1.5s', { by: 'time', milliseconds: 1_500 }],
  ['after:20ms', { by: 'time', milliseconds: 20 }],
  ['after:1m', { by: 'time', milliseconds: 60_000 }],
])('%s', (text, readiness) => {
  expect(parseReadiness(text)).toEqual(readiness);
});

it.each([
  '',
  'udp',
  'http',
  'http:',
  'http:health',
  'https://127.0.0.1/',
  'tcp:',
  'tcp:web',
  'after:',
  'after:2',
  'after:2h',
])('"%s" says nothing of when a program is ready', (text) => {
  expect(() => parseReadiness(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
});
