import { describe, expect, it } from 'vitest';
import {
  requireOwning,
  requirePhase,
  requireRegistering,
  requireServing,
  requireSupport,
} from '../../../lib/lifecycle/guards.ts';
import type { Phase } from '../../../lib/lifecycle/phase.ts';

/** A phase of that name; the guards look at nothing else. */
const phase = (is: Phase['is']) => ({ is }) as Phase;

const others = ['starting', 'taking-over', 'draining', 'shutting-down', 'left'] as const;

describe('a handoff', () => {
  it.each(['serving', 'paused', 'announcing'] as const)('can begin while the process is %s', (is) => {
    expect(requireOwning(phase(is)).is).toBe(is);
  });

  it.each(['offering', 'rehearsing', 'draining-in-place'] as const)('is refused as busy while it is %s', (is) => {
    expect(() => requireOwning(phase(is))).toThrow(expect.objectContaining({ code: 'ERR_HANDOFF_BUSY' }));
  });

  it.each(others)('is not for a process that is %s', (is) => {
    expect(() => requireOwning(phase(is))).toThrow(expect.objectContaining({ code: 'ERR_HANDOFF_NOT_READY' }));
  });
});

describe('what only a process in service can do', () => {
  it('is refused with what to do instead', () => {
    expect(requireServing(phase('serving'), 'reexec()')).toBeUndefined();
    expect(() => requireServing(phase('paused'), 'reexec()')).toThrow(/reexec\(\) .* resume\(\) first/);
    expect(() => requireServing(phase('announcing'), 'pause()')).toThrow(/pause\(\) .* was told to stop/);
    expect(() => requireServing(phase('offering'), 'pause()')).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_BUSY' }),
    );
  });
});

describe('registering', () => {
  it('is for the start and for the service; elsewhere it is said what to do', () => {
    for (const is of ['starting', 'serving'] as const) {
      expect(requireRegistering(phase(is), 'listen')).toBeUndefined();
    }
    expect(() => requireRegistering(phase('paused'), 'listen')).toThrow(/listen\(\) .* resume\(\) first/);
    expect(() => requireRegistering(phase('draining'), 'listen')).toThrow(/listen\(\) .* handed over to its successor/);
    for (const is of ['announcing', 'shutting-down', 'left'] as const) {
      expect(() => requireRegistering(phase(is), 'listen')).toThrow(/about to leave/);
    }
  });
});

it('what is still so goes on; what a shutdown has changed does not', () => {
  expect(requirePhase(phase('offering'), 'offering')).toBeUndefined();
  expect(() => requirePhase(phase('shutting-down'), 'offering')).toThrow(
    expect.objectContaining({ code: 'ERR_HANDOFF_ABORTED' }),
  );
});

it('what needs the addon is there where the addon is', () => {
  expect(requireSupport('upgrade()')).toBeUndefined();
});
