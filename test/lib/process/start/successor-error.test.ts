import { expect, it } from 'vitest';
import { HandoffError } from '../../../../lib/fd/handoff-error.ts';
import type { Child } from '../../../../lib/process/start/child.ts';
import { SuccessorError } from '../../../../lib/process/start/successor-error.ts';

const part = { name: 'successor', others: 'this process serves on' };

function child(stderr: string): Child {
  return { pid: 4711, stderr } as Child;
}

it('of one that exited: how, before what, who serves, and what it has said', () => {
  const cause = new Error('the connection ended');
  const error = SuccessorError.exited(
    part,
    child('no such table'),
    { code: 7, signal: null },
    {
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
      before: 'it was ready',
      cause,
    },
  );
  expect(error).toBeInstanceOf(HandoffError);
  expect(error).toMatchObject({
    code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
    pid: 4711,
    exitCode: 7,
    signal: null,
    stderr: 'no such table',
    cause,
    message:
      'The successor (process 4711) exited with code 7 before it was ready; this process serves on. Its standard error ended with:\nno such table',
  });
});

it('of one that a signal ended: which, and not a word of standard error where there was none', () => {
  const error = SuccessorError.exited(
    part,
    child(''),
    { code: null, signal: 'SIGKILL' },
    {
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
    },
  );
  expect(error).toMatchObject({ exitCode: null, signal: 'SIGKILL', stderr: '' });
  expect(error.message).toBe('The successor (process 4711) exited by SIGKILL; this process serves on.');
});

it('of one that was ended: keeps the code and the reason', () => {
  const reason = new HandoffError('ERR_HANDOFF_TIMEOUT', 'The successor was not ready within 9 ms.');
  const error = SuccessorError.ended(part, child('still loading'), { code: null, signal: 'SIGTERM' }, reason);
  expect(error).toMatchObject({
    code: 'ERR_HANDOFF_TIMEOUT',
    cause: reason,
    signal: 'SIGTERM',
    stderr: 'still loading',
  });
  expect(error.message).toMatch(/^The successor was not ready within 9 ms\. The successor \(process 4711\) was ended;/);
});
