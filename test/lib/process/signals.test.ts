import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { type SignalAction, SignalListeners, type SignalMap, signalMap } from '../../../lib/process/signals.ts';

describe('signalMap', () => {
  it('knows the default, none, and a map of one’s own', () => {
    expect(signalMap('default')).toEqual({
      SIGHUP: 'upgrade',
      SIGUSR2: 'keep',
      SIGTERM: 'shutdown',
      SIGINT: 'shutdown',
      SIGQUIT: 'shutdown',
    });
    expect(signalMap(false)).toBeNull();
    const own: SignalMap = { SIGUSR2: 'upgrade', SIGHUP: () => {} };
    expect(signalMap(own)).toBe(own);
  });

  it('names the presets there are', () => {
    expect(() => signalMap('systemd')).toThrow(/no preset "systemd"; there is "default"/);
  });

  it('refuses an action that there is not: a misspelt one must not become another', () => {
    const misspelt = { SIGHUP: 'upgarde' } as unknown as SignalMap;
    expect(() => signalMap(misspelt)).toThrow(/SIGHUP.*"upgarde".*upgrade, keep, shutdown, hammer/);
  });

  it('refuses a signal that there is not', () => {
    expect(() => signalMap({ SIGHOP: 'upgrade' } as unknown as SignalMap)).toThrow(/SIGHOP/);
  });
});

describe('SignalListeners', () => {
  let listeners: SignalListeners | null = null;
  afterEach(() => listeners?.[Symbol.dispose]());

  it('act by name, or run a function', async () => {
    const acted: [SignalAction, string][] = [];
    let called = 0;
    listeners = new SignalListeners({ SIGUSR2: 'keep', SIGHUP: () => called++ }, (action, signal) =>
      acted.push([action, signal]),
    );
    for (const signal of ['SIGUSR2', 'SIGHUP', 'SIGUSR2'] as const) {
      const received = once(process, signal);
      process.kill(process.pid, signal);
      await received;
    }
    expect(acted).toEqual([
      ['keep', 'SIGUSR2'],
      ['keep', 'SIGUSR2'],
    ]);
    expect(called).toBe(1);
  });

  it('listen no more when they are disposed of', () => {
    const before = process.listenerCount('SIGUSR2');
    listeners = new SignalListeners({ SIGUSR2: 'keep' }, () => {});
    expect(process.listenerCount('SIGUSR2')).toBe(before + 1);
    listeners[Symbol.dispose]();
    listeners[Symbol.dispose]();
    expect(process.listenerCount('SIGUSR2')).toBe(before);
  });
});
