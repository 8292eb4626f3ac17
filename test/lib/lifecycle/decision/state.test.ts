import { expect, it } from 'vitest';
import {
  type Before,
  fateOfClosed,
  hasHeir,
  isAlone,
  isAttempting,
  isGuest,
  isLeaving,
  isOwner,
  isOwning,
  isServed,
  isUndecided,
  mayAdopt,
  type PhaseName,
  type State,
  standsBeside,
} from '../../../../lib/lifecycle/decision/state.ts';

/** One state of each phase, with this before it and beside it. */
function states(before: Before = 'nobody', heir = false): readonly State[] {
  const company = { before, heir };
  return [
    { is: 'starting', before, rehearsal: false },
    { is: 'taking-over', before, rehearsal: false },
    { is: 'serving', ...company },
    { is: 'paused', next: 'stay', ...company },
    { is: 'announcing', ...company },
    { is: 'offering', from: 'serving', afterwards: 'nothing', ...company },
    { is: 'draining', step: 'finishing', told: false, ...company },
    { is: 'rehearsing', ...company },
    { is: 'draining-in-place', step: 'preparing', ...company },
    { is: 'shutting-down', why: 'shutdown', told: true, ...company },
    { is: 'left', toAnother: false, told: true, ...company },
  ];
}

function thoseThat(holds: (state: State) => boolean, among = states()): PhaseName[] {
  return among.filter(holds).map(({ is }) => is);
}

it('an owner is one that nobody has taken over from, whatever it is about', () => {
  expect(thoseThat(({ is }) => isOwning(is))).toEqual(['serving', 'paused', 'announcing']);
  expect(thoseThat(isAttempting)).toEqual(['offering', 'rehearsing']);
  expect(thoseThat(isOwner)).toEqual(['serving', 'paused', 'announcing', 'offering', 'rehearsing']);
  expect(thoseThat(isUndecided)).toEqual(['taking-over', 'offering', 'rehearsing']);
});

it('one that leaves owns nothing, and takes no connection unless a successor can take it on', () => {
  expect(thoseThat(isLeaving)).toEqual(['draining', 'shutting-down', 'left']);
  expect(thoseThat((state) => isLeaving(state) && (isOwner(state) || isUndecided(state)))).toEqual([]);
  expect(thoseThat((state) => !mayAdopt(state))).toEqual(['starting', 'shutting-down', 'left']);
});

it.each<[Before, boolean, boolean]>([
  ['nobody', false, true],
  ['draining', false, true],
  ['predecessor', true, false],
  ['owner', true, false],
  ['sharers', true, false],
])('with %s before it a process is a guest: %s, and alone: %s', (before, guest, alone) => {
  for (const state of states(before)) {
    expect([isGuest(state), isAlone(state)]).toEqual([guest, alone]);
  }
});

it('an heir is known from the service on, and nobody is alone with one', () => {
  expect(thoseThat(hasHeir, states('nobody', true))).toEqual(thoseThat((state) => 'heir' in state));
  expect(thoseThat(isAlone, states('nobody', true))).toEqual(['starting', 'taking-over']);
});

it('beside the owner stands one that serves, or has', () => {
  expect(thoseThat((state) => !standsBeside(state), states('owner'))).toEqual(['starting', 'taking-over']);
  expect(thoseThat(standsBeside, states('sharers'))).toEqual([]);
});

it('clients are served by this process, by one before it, or by one beside it', () => {
  const inService = ['serving', 'offering', 'draining', 'rehearsing', 'draining-in-place'];
  expect(thoseThat(isServed)).toEqual(inService);
  expect(thoseThat(isServed, states('predecessor')).slice(0, 2)).toEqual(['starting', 'taking-over']);
  // One that has left says so by itself: who serves then is no matter of who was beside it once.
  const others = thoseThat((state) => !isServed(state), states('nobody', true));
  expect(others).toEqual(['starting', 'taking-over', 'left']);
  expect(isServed({ is: 'left', toAnother: true, told: false, before: 'nobody', heir: false })).toBe(true);
});

it('an offer from a pause serves nobody, unless somebody is beside this process', () => {
  const offering = { is: 'offering', from: 'paused', afterwards: 'nothing', before: 'nobody' } as const;
  expect([isServed({ ...offering, heir: false }), isServed({ ...offering, heir: true })]).toEqual([false, true]);
});

it('the listener of a server that the application closes goes back, waits, goes for good, or is others’ as well', () => {
  const fates = Object.fromEntries(states().map((state) => [state.is, fateOfClosed(state)]));
  expect(fates).toEqual({
    starting: 'return',
    'taking-over': 'return',
    serving: 'remove',
    paused: 'remove',
    announcing: 'remove',
    offering: 'later',
    draining: 'nothing',
    rehearsing: 'nothing',
    'draining-in-place': 'nothing',
    'shutting-down': 'nothing',
    left: 'nothing',
  });
  for (const state of [...states('sharers'), ...states('nobody', true)]) {
    if (isOwning(state.is)) expect(fateOfClosed(state)).toBe('close');
  }
});
