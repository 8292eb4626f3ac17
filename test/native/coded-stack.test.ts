import assert from 'node:assert/strict';
import { test } from 'node:test';
import { putCodeInStack } from '../../lib/fd/coded-stack.ts';

function made(hide?: Parameters<typeof putCodeInStack>[2]): Error {
  const error = new RangeError('too large');
  putCodeInStack(error, 'ERR_OUT_OF_RANGE', hide);
  return error;
}

test('the code stands in the first line of the stack, and nowhere else', () => {
  const error = made(undefined);
  assert.equal(error.stack?.split('\n')[0], 'RangeError [ERR_OUT_OF_RANGE]: too large');
  assert.equal(error.name, 'RangeError');
  assert.equal(String(error), 'RangeError: too large');
  assert.ok(!Object.hasOwn(error, 'name'));
});

test('the stack begins below the function that is to be hidden', () => {
  const checkSize = () => made(checkSize);
  function caller(): Error {
    return checkSize();
  }
  const [, first] = caller().stack?.split('\n') ?? [];
  assert.match(first ?? '', /at caller /);
});
