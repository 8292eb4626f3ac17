import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { HandoffError, isHandoffErrorCode } from '../../lib/fd/handoff-error.ts';

test('a HandoffError looks like the errors of Node', () => {
  const cause = new Error('why');
  const error = new HandoffError('ERR_HANDOFF_BUSY', 'a handoff is in progress', { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'HandoffError');
  assert.equal(error.code, 'ERR_HANDOFF_BUSY');
  assert.equal(error.message, 'a handoff is in progress');
  assert.equal(error.cause, cause);
  assert.equal(String(error), 'HandoffError: a handoff is in progress');
  assert.deepEqual(Object.keys(error), ['code']);
  const [first, second] = error.stack?.split('\n') ?? [];
  assert.equal(first, 'HandoffError [ERR_HANDOFF_BUSY]: a handoff is in progress');
  assert.match(second ?? '', /handoff-error\.test/);
  assert.ok(inspect(error).startsWith('HandoffError [ERR_HANDOFF_BUSY]: a handoff is in progress\n'));
  assert.ok(!('cause' in new HandoffError('ERR_HANDOFF_BUSY', 'no cause')));
});

test('its codes are told from others', () => {
  assert.equal(isHandoffErrorCode('ERR_HANDOFF_UNSUPPORTED_PLATFORM'), true);
  for (const other of ['ERR_HANDOFF_', 'EBADF', '', undefined, null, 1, {}])
    assert.equal(isHandoffErrorCode(other), false);
});
