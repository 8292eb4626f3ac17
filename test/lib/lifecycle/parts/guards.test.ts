import { describe, expect, it } from 'vitest';
import type { PhaseName, State } from '../../../../lib/lifecycle/decision/state.ts';
import {
  overtakenError,
  refusalError,
  requireRegistering,
  requireSupport,
} from '../../../../lib/lifecycle/parts/guards.ts';

/** A state of that name; the guards look at nothing else. */
const state = (is: PhaseName) => ({ is }) as State;

describe('what may not be done now', () => {
  it.each([
    ['ready-twice', 'ready', 'serving', 'ERR_HANDOFF_NOT_READY', /ready\(\) was called twice: this process is serving/],
    ['offering', 'offer', 'offering', 'ERR_HANDOFF_BUSY', /try again when that is done/],
    ['renewing', 'offer', 'rehearsing', 'ERR_HANDOFF_BUSY', /replace its own image/],
    ['resuming', 'pause', 'paused', 'ERR_HANDOFF_BUSY', /pause\(\) has to wait for its resume\(\)/],
    ['beside-another', 'renew', 'serving', 'ERR_HANDOFF_BUSY', /end one of the two first/],
    ['not-ready', 'offer', 'starting', 'ERR_HANDOFF_NOT_READY', /wait for ready\(\)/],
    ['not-owner', 'offer', 'draining', 'ERR_HANDOFF_NOT_READY', /it is draining/],
    ['paused', 'renew', 'paused', 'ERR_HANDOFF_NOT_READY', /reexec\(\) .* resume\(\) first/],
    ['told-to-stop', 'pause', 'announcing', 'ERR_HANDOFF_NOT_READY', /pause\(\) .* was told to stop/],
  ] as const)('"%s" is told with what to do instead', (why, wanted, is, code, message) => {
    expect(refusalError(why, wanted, state(is))).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

it.each([
  ['accepted', 'shutting-down', /was told to shut down while it was taking-over/],
  ['successor-ready', 'shutting-down', /was told to shut down while it was offering/],
  ['accepts-again', 'left', /was told to shut down while it was resuming/],
] as const)(
  'an activity that has come to "%s" in a process that is %s is told why it goes no further',
  (reached, is, message) => {
    expect(overtakenError(reached, is)).toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
      message: expect.stringMatching(message),
    });
  },
);

describe('registering', () => {
  it('is for the start and for the service; elsewhere it is said what to do', () => {
    for (const is of ['starting', 'serving'] as const) {
      expect(requireRegistering(state(is), 'listen')).toBeUndefined();
    }
    expect(() => requireRegistering(state('paused'), 'listen')).toThrow(/listen\(\) .* resume\(\) first/);
    expect(() => requireRegistering(state('draining'), 'listen')).toThrow(/listen\(\) .* handed over to its successor/);
    for (const is of ['announcing', 'shutting-down', 'left'] as const) {
      expect(() => requireRegistering(state(is), 'listen')).toThrow(/about to leave/);
    }
  });
});

it('what needs the addon is there where the addon is', () => {
  expect(requireSupport('upgrade()')).toBeUndefined();
});
