import { describe, expect, it } from 'vitest';
import { checkSignal, checkSignalMap, type SignalMap } from '../../../lib/signals/signal-map.ts';

type Loose = SignalMap<unknown>;

describe('checkSignalMap', () => {
  it('takes every action, functions, and no entry at all', () => {
    const map: Loose = {
      SIGHUP: 'upgrade',
      SIGUSR2: 'keep',
      SIGPWR: 'reexec',
      SIGWINCH: 'pause',
      SIGTERM: 'shutdown',
      SIGINT: 'hammer',
      SIGUSR1: 'reopen',
      SIGCONT: 'status',
      SIGTSTP: 'none',
      SIGALRM: () => {},
    };
    expect(checkSignalMap(map)).toBe(map);
    expect(checkSignalMap({})).toEqual({});
  });

  it('refuses an action that there is not: a misspelt one must not become another', () => {
    const misspelt = { SIGHUP: 'upgarde' } as unknown as Loose;
    expect(() => checkSignalMap(misspelt)).toThrow(/SIGHUP.*"upgarde".*upgrade, keep, reexec, pause, shutdown, hammer/);
    expect(() => checkSignalMap({ SIGHUP: undefined } as unknown as Loose)).toThrow(RangeError);
  });

  it('refuses a signal that there is not', () => {
    expect(() => checkSignalMap({ SIGHOP: 'upgrade' } as unknown as Loose)).toThrow(/no signal "SIGHOP"/);
    expect(() => checkSignal('onSignal', 'toString')).toThrow(/onSignal: there is no signal "toString"/);
  });

  it.each(['SIGKILL', 'SIGSTOP'] as const)('refuses %s, which no process can catch', (signal) => {
    expect(() => checkSignalMap({ [signal]: 'shutdown' })).toThrow(`${signal} cannot be caught`);
  });
});
