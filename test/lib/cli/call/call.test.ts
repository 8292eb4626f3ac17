import { afterEach, expect, it, vi } from 'vitest';
import { RecordedCall } from '../../../support/recorded-call.ts';

afterEach(() => vi.restoreAllMocks());

const lost = (code: string) => Object.assign(new Error('the pipe is closed'), { code });

it('says what was asked for on standard output, and the rest beside it', () => {
  const call = new RecordedCall();
  call.say('what was asked for');
  call.note('what goes on');
  expect(call).toMatchObject({ output: 'what was asked for\n', errors: 'what goes on\n', exitCode: 0 });
});

it('ends with the code of a name, the last that was said', () => {
  const call = new RecordedCall();
  call.end('nobody');
  expect(call.exitCode).toBe(3);
  call.end('done');
  expect(call.exitCode).toBe(0);
});

it.each([
  [{}, false],
  [{ FD_HANDOFF_DEBUG: '' }, false],
  [{ FD_HANDOFF_DEBUG: '1' }, true],
])('with %j it shows everything of a failure: %s', (environment, debug) => {
  expect(new RecordedCall({ environment }).debug).toBe(debug);
});

it('paints for a terminal alone', () => {
  expect(new RecordedCall().paint('green', 'done')).toBe('done');
  expect(new RecordedCall({ terminal: true }).paint('green', 'done')).toContain('\u001b[');
});

it('one that is to do something goes on without a reader', () => {
  const call = new RecordedCall();
  call.purpose = 'to do';
  call.loseOutput(lost('EPIPE'));
  expect(call).toMatchObject({ errors: '', exitCode: 0 });
});

it('one that is to tell something is over in good order where the reader has gone', () => {
  const exit = vi.spyOn(process, 'exit').mockImplementation((() => {
    throw new Error('exited');
  }) as never);
  expect(() => new RecordedCall().loseOutput(lost('EPIPE'))).toThrow('exited');
  expect(exit).toHaveBeenCalledExactlyOnceWith(0);
});

it('one that is to tell something has failed where nothing can be written, and keeps an earlier failure', () => {
  const call = new RecordedCall();
  call.loseOutput(lost('ENOSPC'));
  expect(call.exitCode).toBe(1);
  expect(call.errors).toContain('could not be written: the pipe is closed');
  const failed = new RecordedCall();
  failed.end('silent');
  failed.loseOutput(lost('ENOSPC'));
  expect(failed).toMatchObject({ exitCode: 6, errors: '' });
});
