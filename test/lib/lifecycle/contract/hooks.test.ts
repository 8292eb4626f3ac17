import { describe, expect, it } from 'vitest';
import { HandoffError } from '../../../../lib/fd/handoff-error.ts';
import { checkHooks, Hooks, type LifecycleHooks } from '../../../../lib/lifecycle/contract/hooks.ts';
import { never } from '../../../support/never.ts';

const launch = { command: '/usr/bin/node', args: ['server.js'], env: { A: '1' }, cwd: '/srv' };
const binding = { name: 'web', address: { address: '::', port: 80 } };

function hooksOf(hooks: LifecycleHooks, { timeout = 30_000, rehearsal = false } = {}): Hooks {
  return new Hooks(hooks, { readyTimeout: timeout, drainTimeout: timeout }, rehearsal);
}

describe('beforeSpawn', () => {
  it('changes what it returns, and nothing else', async () => {
    expect(await hooksOf({}).beforeSpawn(launch, never)).toEqual(launch);
    expect(await hooksOf({ beforeSpawn: () => {} }).beforeSpawn(launch, never)).toEqual(launch);
    const changed = { ...launch, env: { B: '2' } };
    expect(await hooksOf({ beforeSpawn: () => ({ env: { B: '2' } }) }).beforeSpawn(launch, never)).toEqual(changed);
    expect(await hooksOf({ beforeSpawn: async () => ({ env: { B: '2' } }) }).beforeSpawn(launch, never)).toEqual(
      changed,
    );
  });

  it('cannot change the environment of this process by writing to what it was given', async () => {
    const beforeSpawn: LifecycleHooks['beforeSpawn'] = ({ env }) => {
      env.WRITTEN = 'yes';
    };
    await hooksOf({ beforeSpawn }).beforeSpawn({ ...launch, env: process.env }, never);
    expect(process.env.WRITTEN).toBeUndefined();
  });

  it.each([
    ['a misspelt field', { environment: {} }],
    ['arguments that are no strings', { args: [1] }],
    ['an environment that is none', { env: 'A=1' }],
    ['no program', { command: '' }],
    ['no folder', { cwd: '' }],
    ['nothing that it could be', 7],
  ])('that returns %s has failed', async (_, returned) => {
    const hooks = hooksOf({ beforeSpawn: () => returned as never });
    await expect(hooks.beforeSpawn(launch, never)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
      message: expect.stringContaining('beforeSpawn'),
      cause: expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    });
  });

  it('is called off with the handoff', async () => {
    const reason = new HandoffError('ERR_HANDOFF_ABORTED', 'This process is shutting down.');
    const hooks = hooksOf({ beforeSpawn: () => new Promise<void>(() => {}) });
    await expect(hooks.beforeSpawn(launch, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe.each(['beforeBind', 'afterBind', 'beforeSpawn', 'afterCommit'] as const)('%s', (name) => {
  const call = (hooks: Hooks) => {
    if (name === 'beforeBind') return hooks.beforeBind(binding);
    if (name === 'afterBind') return hooks.afterBind({ ...binding, inherited: true });
    if (name === 'beforeSpawn') return hooks.beforeSpawn(launch, never);
    return hooks.afterCommit({ pid: 7, mode: 'replace' });
  };

  it('need not be there', async () => {
    await call(hooksOf({}));
  });

  it('is a method of its object', async () => {
    const hooks = {
      called: 0,
      [name]() {
        this.called++;
      },
    };
    await call(hooksOf(hooks as LifecycleHooks));
    expect(hooks.called).toBe(1);
  });

  it('that fails says which one it was, and why', async () => {
    const cause = new Error('no room');
    for (const hook of [
      () => Promise.reject(cause),
      () => {
        throw cause;
      },
    ]) {
      await expect(call(hooksOf({ [name]: hook }))).rejects.toMatchObject({
        code: 'ERR_HANDOFF_ABORTED',
        message: `The hook ${name} has failed: no room`,
        cause,
      });
    }
  });

  it('has a deadline, and what it says after that is heard by nobody', async () => {
    let fail = (_: Error) => {};
    const hook = () =>
      new Promise<never>((_, reject) => {
        fail = reject;
      });
    await expect(call(hooksOf({ [name]: hook }, { timeout: 20 }))).rejects.toMatchObject({
      code: 'ERR_HANDOFF_TIMEOUT',
      message: `The hook ${name} was not done within 20 ms.`,
    });
    fail(new Error('too late'));
  });
});

it('what is bound is told with whether it is a rehearsal', async () => {
  const told: unknown[] = [];
  const hooks = hooksOf(
    { beforeBind: (it) => void told.push(it), afterBind: (it) => void told.push(it) },
    { rehearsal: true },
  );
  await hooks.beforeBind(binding);
  await hooks.afterBind({ ...binding, inherited: false });
  expect(told).toEqual([
    { ...binding, rehearsal: true },
    { ...binding, inherited: false, rehearsal: true },
  ]);
});

it.each([
  ['null', null],
  ['a function', () => {}],
  ['a misspelt name', { beforebind: () => {} }],
  ['no function', { beforeBind: true }],
])('%s is a TypeError at once', (_, hooks) => {
  expect(() => checkHooks(hooks as LifecycleHooks)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
});
