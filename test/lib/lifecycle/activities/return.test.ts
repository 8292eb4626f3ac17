import { createServer } from 'node:http';
import { afterEach, expect, it, vi } from 'vitest';
import { acceptLate, Return } from '../../../../lib/lifecycle/activities/return.ts';
import type { State } from '../../../../lib/lifecycle/decision/state.ts';
import { Pause } from '../../../../lib/lifecycle/parts/pause.ts';
import { refusal } from '../../../support/listening.ts';
import { type LivingOptions, LivingParts } from '../../../support/living-parts.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const alone = { before: 'nobody', heir: false } as const;
const serving: State = { is: 'serving', ...alone };
const resuming: State = { is: 'paused', next: 'resume', ...alone };
const stopped: State = { is: 'shutting-down', why: 'shutdown', told: true, ...alone };
const stop = { is: 'stop', notice: 'none', terms: { timeout: null, idle: null } } as const;
const local = { host: '127.0.0.1', port: 0 };

let living: LivingParts;
afterEach(() => living[Symbol.dispose]());

function lived(state: State, options?: LivingOptions): LivingParts {
  living = new LivingParts(state, options);
  return living;
}

it('what was registered late is accepted on', async () => {
  const { parts } = lived(serving);
  const late = await parts.estate.listen(createServer(), local);
  await acceptLate(parts);
  expect(late.service).toBe('accepting');
});

it('what cannot be accepted on is reported', async () => {
  const { parts, reported } = lived(serving);
  const failure = new Error('it is taken');
  vi.spyOn(parts.estate, 'acceptWaiting').mockResolvedValue([failure]);
  await acceptLate(parts);
  expect(reported).toEqual([failure]);
});

it('nothing is accepted late by one that was told to stop', async () => {
  const { parts } = lived(stopped);
  const late = await parts.estate.listen(createServer(), local);
  await acceptLate(parts);
  expect(late.service).toBe('waiting');
});

it('everything that was stopped is undone, in the order in which it is believed', async () => {
  const forgetOrders = vi.fn();
  const signals = { forgetOrders, hooksDone: async () => {}, [Symbol.dispose]: () => {} };
  const { parts, orders } = lived(resuming, { parts: { signals: signals as never } });
  const { estate, draining, underway } = parts;
  const served = await estate.listen(createServer(), local);
  await estate.accept();
  estate.stopAccepting();
  draining.abort('paused');
  underway.pause = new Pause(async () => ({ how: 'cancelled' }));
  const back = new Return(parts);
  back.acceptAgain();
  await back.done();
  expect({ service: served.service, aborted: draining.current.aborted, pause: underway.pause }).toEqual({
    service: 'accepting',
    aborted: false,
    pause: null,
  });
  expect(forgetOrders).toHaveBeenCalledTimes(1);
  expect(orders).toEqual(['return-from-pause']);
  expect(await refusal(served.place.address.port as number)).toBeNull();
});

it('a stop that comes meanwhile has the last word, and whoever waits is told so', async () => {
  const { parts, orders } = lived(resuming, { acts: { 'stop-accepting': () => parts.estate.stopAccepting() } });
  const served = await parts.estate.listen(createServer(), local);
  await parts.estate.accept();
  parts.estate.stopAccepting();
  const back = new Return(parts);
  back.acceptAgain();
  parts.life.report(stop);
  orders.length = 0;
  await expect(back.done()).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
  expect(orders).toEqual(['stop-accepting']);
  expect(served.service).toBe('stopped');
});

it('nobody has to wait for it: what overtakes it is no unhandled rejection', async () => {
  const { parts } = lived(stopped);
  new Return(parts).acceptAgain();
  await parts.life.changed();
});

it('in service again the control path is open, what came late is accepted on, and it is told once', async () => {
  using folder = new TemporaryFolder();
  living = await LivingParts.at(folder.file('control'), serving);
  const { parts } = living;
  const late = await parts.estate.listen(createServer(), local);
  const tell = vi.fn(() => {
    expect([parts.control.is, late.service]).toEqual(['open', 'accepting']);
  });
  const back = new Return(parts);
  back.toService(tell);
  await back.done();
  expect(tell).toHaveBeenCalledTimes(1);
});

it('a control path that cannot be opened is reported, and the process serves all the same', async () => {
  const { parts, reported } = lived(serving);
  const failure = new Error('somebody else listens there');
  vi.spyOn(parts.control, 'open').mockRejectedValue(failure);
  const tell = vi.fn();
  const back = new Return(parts);
  back.toService(tell);
  await back.done();
  expect(reported).toEqual([failure]);
  expect(tell).toHaveBeenCalledTimes(1);
});

it('one that is told to stop while its control path opens does not say that it serves, and leaves the path', async () => {
  using folder = new TemporaryFolder();
  living = await LivingParts.at(folder.file('control'), serving);
  const { parts } = living;
  const late = await parts.estate.listen(createServer(), local);
  const tell = vi.fn();
  const back = new Return(parts);
  back.toService(tell);
  parts.life.report(stop);
  parts.control.leave();
  await back.done();
  expect([parts.control.is, late.service]).toEqual(['held', 'waiting']);
  expect(tell).not.toHaveBeenCalled();
});

it('the hooks of a drain are called again, the next time', () => {
  const { parts } = lived(serving);
  const hook = vi.fn();
  parts.drainHooks.add(hook);
  parts.drainHooks.begin('handoff');
  new Return(parts).toService(() => {});
  parts.drainHooks.begin('shutdown');
  expect(hook.mock.calls).toEqual([['handoff'], ['shutdown']]);
});
