import { createServer } from 'node:http';
import { afterEach, expect, it, vi } from 'vitest';
import {
  Drain,
  type Handover,
  halfSentGrace,
  patientLimits,
  upstreamGone,
} from '../../../../lib/lifecycle/activities/drain.ts';
import type { State } from '../../../../lib/lifecycle/decision/state.ts';
import { Attempt } from '../../../../lib/lifecycle/parts/attempt.ts';
import type { Successor } from '../../../../lib/transaction/predecessor.ts';
import { ControlStub } from '../../../support/control-stub.ts';
import { eventually } from '../../../support/eventually.ts';
import { HeldRequest } from '../../../support/held-request.ts';
import { type LivingOptions, LivingParts } from '../../../support/living-parts.ts';
import { never } from '../../../support/never.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const alone = { before: 'nobody', heir: false } as const;
const stopped: State = { is: 'shutting-down', why: 'shutdown', told: true, ...alone };
const draining: State = { is: 'draining', step: 'finishing', told: false, ...alone };
const shutdown = { reason: 'shutdown', limits: { idle: 0, halfSent: halfSentGrace }, total: 60_000 } as const;
const handoff = { ...shutdown, reason: 'handoff' } as const;

let living: LivingParts;
afterEach(() => living[Symbol.dispose]());

function lived(state: State, options?: LivingOptions): LivingParts {
  living = new LivingParts(state, options);
  return living;
}

/** A successor that does nothing but live. */
function handover(fields: Partial<Handover> & { leaving?: Promise<void> } = {}): Handover {
  const { leaving = new Promise<void>(() => {}), ...others } = fields;
  const successor = { leaving } as Successor;
  return { to: { successor, pid: 7 }, died: never, mover: null, settled: Promise.resolve(), ...others };
}

/** Whether it has ended by now; a few turns of the event loop are all that a drain without work takes. */
async function hasEnded(run: Promise<unknown>): Promise<boolean> {
  let ended = false;
  void run.then(() => {
    ended = true;
  });
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  return ended;
}

async function holding(parts: LivingParts['parts']): Promise<HeldRequest> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('{}'));
  });
  const served = await parts.estate.listen(server, { host: '127.0.0.1', port: 0 });
  await parts.estate.accept();
  const held = await HeldRequest.open(served.place.address.port as number);
  parts.estate.stopAccepting();
  return held;
}

it('finishes what is in flight, and tells how it went', async () => {
  const { parts } = lived(stopped);
  using held = await holding(parts);
  const run = new Drain(parts, shutdown, null).run();
  expect(await hasEnded(run)).toBe(false);
  expect((await held.release()).status).toBe(200);
  expect(await run).toMatchObject({
    report: { moved: 0, drained: 1, forced: 0, duration: expect.any(Number), reason: 'shutdown' },
    successor: null,
  });
});

it('cuts off what is left when its time is over, and says what that was', async () => {
  const { parts } = lived(stopped);
  using _held = await holding(parts);
  const result = await new Drain(parts, { ...shutdown, total: 0 }, null).run();
  expect(result?.report).toMatchObject({ drained: 0, forced: 1 });
  expect(String(result?.cutOff)).not.toBe('');
});

it('is called off where the successor has died, and leaves the connections alone', async () => {
  const { parts } = lived(draining);
  using held = await holding(parts);
  const died = new AbortController();
  const run = new Drain(parts, handoff, handover({ died: died.signal })).run();
  died.abort();
  expect(await run).toBeNull();
  expect((await held.release()).status).toBe(200);
});

it('waits for the hooks of the application, as long as there is time', async () => {
  const { parts, reported } = lived(stopped);
  let finish = () => {};
  parts.drainHooks.add(() => new Promise<void>((resolve) => (finish = resolve)));
  parts.drainHooks.begin('shutdown');
  const run = new Drain(parts, shutdown, null).run();
  expect(await hasEnded(run)).toBe(false);
  finish();
  await run;
  parts.drainHooks.stay();
  parts.drainHooks.begin('shutdown');
  await new Drain(parts, { ...shutdown, total: 0 }, null).run();
  expect(reported).toMatchObject([{ code: 'ERR_HANDOFF_TIMEOUT' }]);
});

it('waits for what the successor has not got yet, and for a predecessor that still moves connections here', async () => {
  let settle = () => {};
  let leave = () => {};
  const settled = new Promise<void>((resolve) => (settle = resolve));
  const gone = new Promise<void>((resolve) => (leave = resolve));
  const { parts } = lived(draining);
  parts.peers.upstream = { takeover: { mode: 'replace' }, gone } as never;
  const to = handover({ settled });
  const run = new Drain(parts, handoff, to).run();
  settle();
  expect(await hasEnded(run)).toBe(false);
  leave();
  expect(await run).toMatchObject({ report: { reason: 'handoff' }, successor: to.to });
});

it('waits for a successor that was called off to be gone: it holds the listeners', async () => {
  const { parts } = lived(stopped);
  const attempt = new Attempt();
  parts.underway.attempt = attempt;
  const run = new Drain(parts, shutdown, null).run();
  expect(await hasEnded(run)).toBe(false);
  attempt.end();
  await run;
});

it('with its end the older generations are waited for, where nobody serves any more', async () => {
  for (const [state, waits] of [
    [stopped, 1],
    [{ ...stopped, heir: true }, 0],
  ] as const) {
    using own = new LivingParts(state);
    const gone = vi.spyOn(own.parts.generations, 'gone');
    await new Drain(own.parts, shutdown, null).run();
    expect(gone).toHaveBeenCalledTimes(waits);
  }
  lived(stopped);
});

it('makes itself known to whoever serves then, where its successor leaves before it', async () => {
  using folder = new TemporaryFolder();
  const path = folder.file('control');
  await using stub = await ControlStub.at(path, (socket, own) => {
    own.onFrame(socket, () =>
      ControlStub.reply(socket, 'WELCOME', { protocol: 1, pid: 9, generation: 5, features: [] }),
    );
  });
  const { parts } = lived(draining, { settings: { control: path } });
  using held = await holding(parts);
  const run = new Drain(parts, handoff, handover({ leaving: Promise.resolve() })).run();
  await eventually(() => stub.heard.length > 0);
  expect(stub.heard).toMatchObject([{ name: 'HELLO', payload: { intent: 'drain', generation: 3 } }]);
  await held.release();
  await run;
});

it('a request that was begun may take ten seconds, and never longer than all of it', () => {
  expect(patientLimits(60_000)).toEqual({ idle: Number.POSITIVE_INFINITY, halfSent: 10_000 });
  expect(patientLimits(500).halfSent).toBe(500);
});

it('nobody waits for one that it stands beside, nor where there was none', async () => {
  const gone = new Promise<void>(() => {});
  await upstreamGone(null);
  await upstreamGone({ takeover: { mode: 'keep' }, gone } as never);
  expect(await hasEnded(upstreamGone({ takeover: { mode: 'replace' }, gone } as never))).toBe(false);
});
