import { expect, it } from 'vitest';
import { CommandError } from '../../../../lib/cli/call/command-error.ts';
import { reportFailure } from '../../../../lib/cli/call/failure.ts';
import { HandoffError } from '../../../../lib/fd/handoff-error.ts';
import { RecordedCall } from '../../../support/recorded-call.ts';

function reported(error: unknown, options?: ConstructorParameters<typeof RecordedCall>[0]): RecordedCall {
  const call = new RecordedCall(options);
  reportFailure(error, call);
  return call;
}

it('is one line with the code first, and no stack', () => {
  const call = reported(new HandoffError('ERR_HANDOFF_BUSY', 'Process 7 is handing over: try again.'));
  expect(call.errors).toBe('fd-handoff: ERR_HANDOFF_BUSY: Process 7 is handing over: try again.\n');
  expect(call.output).toBe('');
  expect(call.exitCode).toBe(1);
});

it.each([
  ['ENOENT', 3],
  ['ECONNREFUSED', 3],
  ['EACCES', 4],
  ['ERR_HANDOFF_UNTRUSTED_PEER', 4],
  ['ERR_HANDOFF_VERSION', 5],
  ['ERR_HANDOFF_PROTOCOL', 5],
  ['ERR_HANDOFF_TIMEOUT', 6],
  ['ERR_HANDOFF_SUCCESSOR_EXITED', 1],
  ['toString', 1],
])('%s ends with %i', (code, exitCode) => {
  expect(reported(Object.assign(new Error('It failed.'), { code })).exitCode).toBe(exitCode);
});

it('takes the exit code that an error brings', () => {
  const call = reported(new CommandError('It hangs.', { code: 'ERR_HANDOFF_TIMEOUT', exit: 'failed' }));
  expect(call.exitCode).toBe(1);
});

it('shows where it comes from, with every cause, only on demand', () => {
  const error = new Error('It failed.', { cause: new Error('the reason') });
  expect(reported(error).errors).toBe('fd-handoff: It failed.\n');
  const { errors } = reported(error, { environment: { FD_HANDOFF_DEBUG: '1' } });
  expect(errors).toMatch(
    /^fd-handoff: It failed\.\nError: It failed\.\n {4}at .*\ncaused by: Error: the reason\n {4}at /s,
  );
});

it('shows the message of an error that has no stack', () => {
  const error = Object.assign(new Error('It failed.'), { stack: undefined });
  const { errors } = reported(error, { environment: { FD_HANDOFF_DEBUG: '1' } });
  expect(errors).toBe('fd-handoff: It failed.\nIt failed.\n');
});

it('is red on a terminal', () => {
  expect(reported(new Error('It failed.'), { terminal: true }).errors).toBe(
    '\u001b[31mfd-handoff\u001b[39m: It failed.\n',
  );
});

it('takes what is no error', () => {
  expect(reported('a text').errors).toBe('fd-handoff: a text\n');
});
