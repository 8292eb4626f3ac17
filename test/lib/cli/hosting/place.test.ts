import { InvalidArgumentError } from 'commander';
import { expect, it } from 'vitest';
import { parsePlace } from '../../../../lib/cli/hosting/place.ts';

it.each([
  ['8080', { kind: 'tcp', port: 8080 }],
  ['tcp:8080', { kind: 'tcp', port: 8080 }],
  ['0', { kind: 'tcp', port: 0 }],
  ['*:8080', { kind: 'tcp', port: 8080 }],
  ['127.0.0.1:8080', { kind: 'tcp', host: '127.0.0.1', port: 8080 }],
  ['localhost:8080', { kind: 'tcp', host: 'localhost', port: 8080 }],
  ['[::]:8080', { kind: 'tcp', host: '::', port: 8080 }],
  ['[fe80::1%eth0]:8080', { kind: 'tcp', host: 'fe80::1%eth0', port: 8080 }],
  ['web=8080,backlog=64', { kind: 'tcp', name: 'web', port: 8080, backlog: 64 }],
  ['unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock' }],
  ['unix:./a=b.sock', { kind: 'unix', path: './a=b.sock' }],
  ['unix:@app', { kind: 'unix', path: '@app' }],
  ['local=unix:/run/app.sock,mode=660', { kind: 'unix', name: 'local', path: '/run/app.sock', mode: 0o660 }],
  ['unix:/a,mode=0600,owner=0:0', { kind: 'unix', path: '/a', mode: 0o600, owner: { uid: 0, gid: 0 } }],
  ['unix:/a,owner=root:root', { kind: 'unix', path: '/a', owner: { uid: 0, gid: 0 } }],
  ['unix:/a,owner=33', { kind: 'unix', path: '/a', owner: { uid: 33 } }],
  ['unix:/a,owner=:33', { kind: 'unix', path: '/a', owner: { gid: 33 } }],
  ['udp:8125', { kind: 'udp', port: 8125 }],
  ['udp:[::1]:53', { kind: 'udp', host: '::1', port: 53 }],
  ['metrics=udp:127.0.0.1:8125', { kind: 'udp', name: 'metrics', host: '127.0.0.1', port: 8125 }],
])('%s', (text, place) => {
  expect(parsePlace(text)).toEqual(place);
});

it.each([
  '',
  'web',
  '80800',
  ':8080',
  '127.0.0.1',
  '::1:8080',
  'unix:',
  '=8080',
  '@web=8080',
  '8080,mode=600',
  '8080,colour=red',
  '8080,backlog',
  '8080,backlog=many',
  'udp:8125,backlog=7',
  'unix:/a,mode=999',
  'unix:/a,owner=:',
  'unix:/a,owner=a:b:c',
  'unix:/a,owner=no-such-user-anywhere',
])('"%s" is no address', (text) => {
  expect(() => parsePlace(text)).toThrow(InvalidArgumentError);
});
