import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOptionNames } from '../../lib/fd/option-names.ts';

const known = { port: true, reusePort: true, ipv6Only: true, owner: true } as const;

const others = { hostname: 'owner', exclusive: 'Leave it out.' };

function messageFor(options: object): string {
  try {
    checkOptionNames('listen()', options, known, others);
  } catch (error) {
    assert.ok(error instanceof TypeError);
    assert.equal((error as NodeJS.ErrnoException).code, 'ERR_INVALID_ARG_VALUE');
    assert.match(error.stack ?? '', /^TypeError \[ERR_INVALID_ARG_VALUE\]/);
    return error.message;
  }
  return '';
}

test('options that there are', () => {
  assert.equal(messageFor({ port: 0, reusePort: true }), '');
  assert.equal(messageFor({}), '');
});

test('an option that was not given is none', () => {
  assert.equal(messageFor({ reuseport: undefined }), '');
});

test('a slip is told what was meant', () => {
  assert.equal(messageFor({ reuseport: true }), 'listen() has no option "reuseport". Did you mean "reusePort"?');
  assert.match(messageFor({ pors: 0 }), /Did you mean "port"\?$/);
  assert.match(messageFor({ ip6only: true }), /Did you mean "ipv6Only"\?$/);
  assert.match(messageFor({ ownr: {} }), /Did you mean "owner"\?$/);
});

test('another word is told which options there are', () => {
  assert.equal(messageFor({ tls: true }), 'listen() has no option "tls". It takes ipv6Only, owner, port, reusePort.');
});

test('what every object has is no option', () => {
  assert.match(messageFor({ toString: 1 }), /has no option "toString"/);
});

test('what the same is called elsewhere is told as a slip is, and what there is not with what to do', () => {
  assert.equal(messageFor({ hostname: 'x' }), 'listen() has no option "hostname". Did you mean "owner"?');
  assert.equal(messageFor({ exclusive: true }), 'listen() has no option "exclusive". Leave it out.');
});
