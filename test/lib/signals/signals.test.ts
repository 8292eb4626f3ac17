import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HangUp } from '../../../lib/signals/hang-up.ts';
import type { SignalMap } from '../../../lib/signals/signal-map.ts';
import { type SignalHooks, SignalListeners, type SignalOrder } from '../../../lib/signals/signals.ts';

const app = { name: 'the application' };
let listeners: SignalListeners<typeof app>;
/** What has happened, in its order. */
let happened: string[];
let orders: SignalOrder[];
let reported: unknown[];

interface Given {
  readonly act?: (order: SignalOrder) => void | Promise<void>;
  readonly repeatWithin?: number;
  readonly hangUp?: HangUp;
}

function listen(
  map: SignalMap<typeof app>,
  { act = () => {}, repeatWithin = 60_000, hangUp = 'order' }: Given = {},
): void {
  listeners = new SignalListeners({
    map,
    app,
    repeatWithin,
    hangUps: () => ({ meaning: async () => hangUp, [Symbol.dispose]: () => {} }),
    act: async (order) => {
      happened.push(order.action);
      orders.push(order);
      try {
        await act(order);
        return true;
      } catch {
        return false;
      }
    },
    report: (error) => reported.push(error),
  });
}

function telling(name: string, wait = 0): Required<SignalHooks> {
  const tell = (moment: string) => async (signal: NodeJS.Signals) => {
    for (let turns = 0; turns < wait; turns++) await turn();
    happened.push(`${name} ${moment} ${signal}`);
  };
  return { before: tell('before'), after: tell('after') };
}

async function raise(signal: NodeJS.Signals): Promise<void> {
  const received = once(process, signal);
  process.kill(process.pid, signal);
  await received;
  await listeners.hooksDone();
}

beforeEach(() => {
  happened = [];
  orders = [];
  reported = [];
});
afterEach(() => {
  vi.useRealTimers();
  listeners[Symbol.dispose]();
});

describe('SignalListeners', () => {
  it('act by name, or run a function with the application and the signal', async () => {
    const called: unknown[] = [];
    listen({ SIGUSR2: 'reopen', SIGHUP: (...given) => called.push(...given) });
    for (const signal of ['SIGUSR2', 'SIGHUP', 'SIGUSR2'] as const) await raise(signal);
    await vi.waitUntil(() => called.length > 0);
    const reopen = { action: 'reopen', signal: 'SIGUSR2', vetoed: false };
    expect(orders).toEqual([reopen, reopen]);
    expect(called).toEqual([app, 'SIGHUP']);
  });

  it('report a function that throws or rejects, and do nothing else about it', async () => {
    listen({
      SIGUSR2: () => {
        throw new Error('thrown');
      },
      SIGHUP: async () => {
        throw new Error('rejected');
      },
    });
    await raise('SIGUSR2');
    await raise('SIGHUP');
    await turn();
    expect(reported).toEqual([new Error('thrown'), new Error('rejected')]);
    expect(orders).toEqual([]);
  });

  it('make the second signal to stop the hammer, whichever it is, until the process serves again', async () => {
    listen({ SIGTERM: 'shutdown', SIGINT: 'shutdown' }, { repeatWithin: 0 });
    await raise('SIGTERM');
    await raise('SIGINT');
    expect(happened).toEqual(['shutdown', 'hammer']);
    listeners.forgetOrders();
    await raise('SIGINT');
    expect(happened.at(-1)).toBe('shutdown');
  });

  it('take signals that come together for one order, with the hooks of each signal once', async () => {
    listen({ SIGHUP: 'upgrade', SIGTERM: 'shutdown', SIGINT: 'shutdown' });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) listeners.addHooks(signal, telling('hook'));
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const) await raise(signal);
    expect(happened).toEqual([
      'hook before SIGTERM',
      'shutdown',
      'hook after SIGTERM',
      'hook before SIGINT',
      'hook after SIGINT',
    ]);
  });

  it('act on an order again that has come to nothing', async () => {
    listen({ SIGHUP: 'upgrade' }, { act: () => Promise.reject(new Error('no successor')) });
    await raise('SIGHUP');
    await vi.waitUntil(() => happened.length === 1);
    await turn();
    await raise('SIGHUP');
    await vi.waitUntil(() => happened.length === 2);
  });

  it.each(['upgrade', 'keep', 'reexec', 'pause', 'reopen', 'status'] as const)(
    'stop where the terminal is gone, and SIGHUP would be "%s"',
    async (action) => {
      listen({ SIGHUP: action }, { hangUp: 'terminal' });
      listeners.addHooks('SIGHUP', telling('hook'));
      await raise('SIGHUP');
      await raise('SIGHUP');
      await vi.waitUntil(() => happened.length > 0);
      for (let turns = 0; turns < 5; turns++) await turn();
      expect(happened).toEqual(['shutdown']);
    },
  );

  it('stop where the terminal is gone and SIGHUP is a function; and do nothing where it is "none" or outlived', async () => {
    const called: unknown[] = [];
    listen({ SIGHUP: () => called.push('SIGHUP') }, { hangUp: 'terminal' });
    await raise('SIGHUP');
    await vi.waitUntil(() => happened.length > 0);
    listeners[Symbol.dispose]();
    for (const [map, hangUp] of [
      [{ SIGHUP: 'none' }, 'terminal'],
      [{ SIGHUP: 'upgrade' }, 'outlived'],
    ] as const) {
      listen(map, { hangUp });
      await raise('SIGHUP');
      for (let turns = 0; turns < 5; turns++) await turn();
      listeners[Symbol.dispose]();
    }
    expect(happened).toEqual(['shutdown', 'none']);
    expect(called).toEqual([]);
  });

  it('listen no more when they are disposed of', () => {
    const before = process.listenerCount('SIGUSR2');
    listen({ SIGUSR2: 'keep' });
    listeners.addHooks('SIGUSR2', {});
    expect(process.listenerCount('SIGUSR2')).toBe(before + 1);
    listeners[Symbol.dispose]();
    listeners[Symbol.dispose]();
    expect(process.listenerCount('SIGUSR2')).toBe(before);
  });
});

describe('hooks', () => {
  it('run in their order around the action, each awaited', async () => {
    listen(
      { SIGHUP: 'upgrade' },
      {
        act: async () => {
          await turn();
          happened.push('upgraded');
        },
      },
    );
    listeners.addHooks('SIGHUP', telling('slow', 3));
    listeners.addHooks('SIGHUP', telling('fast'));
    await raise('SIGHUP');
    await vi.waitUntil(() => happened.length === 6);
    expect(happened).toEqual([
      'slow before SIGHUP',
      'fast before SIGHUP',
      'upgrade',
      'upgraded',
      'slow after SIGHUP',
      'fast after SIGHUP',
    ]);
  });

  it('run for a signal without an action, be it "none" or nothing', async () => {
    listen({ SIGUSR2: 'none' });
    listeners.addHooks('SIGUSR2', telling('hook'));
    listeners.addHooks('SIGHUP', telling('hook'));
    await raise('SIGUSR2');
    await raise('SIGHUP');
    expect(happened).toEqual([
      'hook before SIGUSR2',
      'none',
      'hook after SIGUSR2',
      'hook before SIGHUP',
      'none',
      'hook after SIGHUP',
    ]);
  });

  it('that throw are reported and veto; the others and the action run all the same', async () => {
    listen({ SIGHUP: 'upgrade' });
    const failing = () => {
      throw new Error('not now');
    };
    listeners.addHooks('SIGHUP', { before: failing });
    listeners.addHooks('SIGHUP', telling('next'));
    await raise('SIGHUP');
    await vi.waitUntil(() => happened.length === 3);
    expect(reported).toEqual([new Error('not now')]);
    expect(orders).toEqual([{ action: 'upgrade', signal: 'SIGHUP', vetoed: true }]);
    expect(happened).toEqual(['next before SIGHUP', 'upgrade', 'next after SIGHUP']);
    // A hook after it cannot veto what is done.
    listeners.addHooks('SIGUSR2', { after: failing });
    await raise('SIGUSR2');
    expect(reported).toHaveLength(2);
  });

  it('that never end do not keep the action for ever', async () => {
    listen({ SIGTERM: 'shutdown' });
    listeners.addHooks('SIGTERM', { before: () => new Promise(() => {}) });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const done = raise('SIGTERM');
    await vi.waitUntil(() => vi.getTimerCount() > 0);
    expect(happened).toEqual([]);
    vi.advanceTimersByTime(10_000);
    await done;
    expect(happened).toEqual(['shutdown']);
    expect(reported).toMatchObject([{ code: 'ERR_HANDOFF_TIMEOUT' }]);
  });

  it('do not keep the second signal to stop', async () => {
    listen({ SIGTERM: 'shutdown' }, { repeatWithin: 0 });
    const waiting: (() => void)[] = [];
    listeners.addHooks('SIGTERM', { before: () => new Promise<void>((resolve) => waiting.push(resolve)) });
    const first = raise('SIGTERM');
    await vi.waitUntil(() => waiting.length === 1);
    process.kill(process.pid, 'SIGTERM');
    await vi.waitUntil(() => waiting.length === 2);
    expect(happened).toEqual(['hammer']);
    for (const release of waiting) release();
    await first;
    expect(happened).toEqual(['hammer', 'shutdown']);
  });

  it('must be functions, on signals that there are', () => {
    listen({});
    expect(() => listeners.addHooks('SIGHUP', { before: 'yes' } as unknown as SignalHooks)).toThrow(TypeError);
    expect(() => listeners.addHooks('SIGHOP' as NodeJS.Signals, {})).toThrow(/onSignal.*SIGHOP/);
    expect(() => listeners.addHooks('SIGKILL', {})).toThrow('cannot be caught');
  });
});
