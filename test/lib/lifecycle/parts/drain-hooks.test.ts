import { expect, it } from 'vitest';
import { DrainHooks } from '../../../../lib/lifecycle/parts/drain-hooks.ts';
import { never } from '../../../support/never.ts';

function hooks() {
  const called: string[] = [];
  const errors: unknown[] = [];
  return { called, errors, hooks: new DrainHooks((error) => errors.push(error)) };
}

it('are called in the turn in which the process begins to leave, in their order, with the reason', () => {
  const { called, hooks: drain } = hooks();
  drain.add((reason) => void called.push(`first ${reason}`));
  drain.add((reason) => void called.push(`second ${reason}`));
  expect(called).toEqual([]);
  drain.begin('handoff');
  expect(called).toEqual(['first handoff', 'second handoff']);
});

it('are called once for a process that is told to stop while it leaves, and again the next time', () => {
  const { called, hooks: drain } = hooks();
  drain.add((reason) => void called.push(reason));
  drain.begin('handoff');
  drain.begin('shutdown');
  expect(called).toEqual(['handoff']);
  drain.stay();
  drain.begin('shutdown');
  expect(called).toEqual(['handoff', 'shutdown']);
});

it('one that comes late is called at once, and not where the process serves again', () => {
  const { called, hooks: drain } = hooks();
  drain.begin('handoff');
  drain.add((reason) => void called.push(`late ${reason}`));
  expect(called).toEqual(['late handoff']);
  drain.stay();
  drain.add((reason) => void called.push(`later ${reason}`));
  expect(called).toEqual(['late handoff']);
});

it('are waited for, those that come meanwhile as well', async () => {
  const { called, hooks: drain } = hooks();
  let finish = () => {};
  drain.add(() => new Promise((resolve) => (finish = resolve)));
  drain.begin('shutdown');
  const done = drain.done(never).then(() => called.push('done'));
  let finishLate = () => {};
  drain.add(() => new Promise((resolve) => (finishLate = resolve)));
  finish();
  await new Promise(setImmediate);
  expect(called).toEqual([]);
  finishLate();
  await done;
  expect(called).toEqual(['done']);
});

it('one that throws or rejects is reported, and the others are called', async () => {
  const { called, errors, hooks: drain } = hooks();
  drain.add(() => {
    throw new Error('thrown');
  });
  drain.add(() => Promise.reject(new Error('rejected')));
  drain.add(() => void called.push('third'));
  drain.begin('handoff');
  await drain.done(never);
  expect(called).toEqual(['third']);
  expect(errors).toEqual([new Error('thrown'), new Error('rejected')]);
});

it('those that still run when the time is over are reported', async () => {
  const { errors, hooks: drain } = hooks();
  drain.add(() => new Promise(() => {}));
  drain.begin('handoff');
  await drain.done(AbortSignal.abort());
  expect(errors).toEqual([expect.objectContaining({ code: 'ERR_HANDOFF_TIMEOUT' })]);
});

it('what is no function is refused', () => {
  expect(() => hooks().hooks.add('close' as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
});
