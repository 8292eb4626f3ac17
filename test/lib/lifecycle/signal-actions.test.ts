import { expect, it, vi } from 'vitest';
import { actOnSignal, type Signalled, type Situation } from '../../../lib/lifecycle/signal-actions.ts';
import type { SignalAction } from '../../../lib/signals/signal-map.ts';

function setUp(situation: Partial<Situation> = {}) {
  const app = {
    upgrade: vi.fn(async () => 1),
    reexec: vi.fn(async () => {}),
    pause: vi.fn(async () => {}),
    resume: vi.fn(async () => {}),
    shutdown: vi.fn(async () => {}),
    hammer: vi.fn(),
    status: () => ({}),
  } satisfies Signalled;
  const whole = { paused: false, leads: true, reopen: vi.fn(), report: vi.fn(), ...situation };
  const act = (action: SignalAction, vetoed = false) => actOnSignal({ signal: 'SIGHUP', action, vetoed }, app, whole);
  return { app, act, report: vi.mocked(whole.report), reopen: whole.reopen };
}

it.each([
  ['upgrade', 'upgrade'],
  ['keep', 'upgrade'],
  ['reexec', 'reexec'],
  ['pause', 'pause'],
  ['shutdown', 'shutdown'],
  ['hammer', 'hammer'],
] as const)('%s calls %s() once, and nothing else', async (action, method) => {
  const { app, act } = setUp();
  await act(action);
  const calls = Object.entries(app).filter(([, member]) => vi.isMockFunction(member) && member.mock.calls.length > 0);
  expect(calls.map(([name]) => name)).toEqual([method]);
  expect(app[method]).toHaveBeenCalledTimes(1);
});

it('upgrade brings a paused process back instead', async () => {
  const { app, act } = setUp({ paused: true });
  await act('upgrade');
  expect(app.resume).toHaveBeenCalledTimes(1);
  expect(app.upgrade).not.toHaveBeenCalled();
});

it('what replaces the process is the first handoff’s to do', async () => {
  const { app, act, report } = setUp({ leads: false });
  await Promise.all([act('upgrade'), act('keep'), act('reexec')]);
  expect(app.upgrade).not.toHaveBeenCalled();
  expect(app.reexec).not.toHaveBeenCalled();
  expect(report).not.toHaveBeenCalled();
});

it('a hook that failed prevents what replaces the process, and no stop', async () => {
  const { app, act, report } = setUp();
  await act('upgrade', true);
  expect(app.upgrade).not.toHaveBeenCalled();
  expect(report).toHaveBeenCalledWith(expect.objectContaining({ code: 'ERR_HANDOFF_ABORTED' }));
  await act('shutdown', true);
  expect(app.shutdown).toHaveBeenCalledTimes(1);
});

it('what fails is reported', async () => {
  const { app, act, report } = setUp();
  const failure = new Error('no successor');
  app.upgrade.mockRejectedValueOnce(failure);
  await act('upgrade');
  expect(report).toHaveBeenCalledExactlyOnceWith(failure);
});

it('reopen tells which signal it was; none does nothing', async () => {
  const { act, reopen } = setUp();
  await act('none');
  expect(reopen).not.toHaveBeenCalled();
  await act('reopen');
  expect(reopen).toHaveBeenCalledExactlyOnceWith('SIGHUP');
});
