import { describe, expect, it } from 'vitest';
import type { Phase } from '../../../lib/lifecycle/phase.ts';
import { type PhaseChange, Standing } from '../../../lib/lifecycle/standing.ts';
import type { Mode, Successor } from '../../../lib/transaction/predecessor.ts';
import type { Takeover } from '../../../lib/transaction/successor.ts';

const heir = { successor: {} as Successor, pid: 7 };

/** A takeover of that mode; nothing else of it is looked at. */
const takeoverOf = (mode: Mode) => ({ mode }) as Takeover;

/** The least of a phase that the questions look at. */
const phase = (is: Phase['is'], rest: object = {}) => ({ is, ...rest }) as Phase;

/** One that came by `takeover`, has done `ready()`, and serves. */
function serving(takeover: Takeover | null): Standing {
  const standing = new Standing(takeover, () => {});
  standing.enter(phase('taking-over'));
  standing.enter(phase('serving'));
  standing.tookOver = true;
  if (takeover !== null) standing.upstream = { is: 'connected', takeover, gone: new Promise(() => {}) };
  return standing;
}

describe('a change of phase', () => {
  it('is told with its cause, when it is made', () => {
    const changes: PhaseChange[] = [];
    const standing = new Standing(null, (change) => {
      expect(standing.phase.is).toBe(change.to);
      changes.push(change);
    });
    standing.enter(phase('taking-over'));
    expect(changes).toEqual([{ from: 'starting', to: 'taking-over', cause: 'ready()' }]);
  });

  it('that is in no design is refused, and changes nothing', () => {
    const standing = new Standing(null, () => {});
    expect(() => standing.enter(phase('draining'))).toThrow('starting cannot become draining');
    expect(standing.phase.is).toBe('starting');
  });
});

describe('who else serves', () => {
  it('is nobody for a first process', () => {
    const standing = serving(null);
    expect([standing.isAlone(), standing.isGuest(), standing.standsBeside()]).toEqual([true, false, false]);
    expect(standing.fateOfClosed()).toBe('remove');
  });

  it('is the predecessor until ready() is done', () => {
    const standing = new Standing(takeoverOf('replace'), () => {});
    expect([standing.isServed(), standing.isGuest(), standing.isAlone()]).toEqual([true, true, false]);
    expect(standing.fateOfClosed()).toBe('return');
    const fresh = new Standing(null, () => {});
    expect([fresh.isServed(), fresh.isGuest()]).toEqual([false, false]);
  });

  it('is the owner for one that shares with it, or stands beside it', () => {
    expect([serving(takeoverOf('share')), serving(takeoverOf('keep'))].map((one) => one.isGuest())).toEqual([
      true,
      true,
    ]);
    expect(serving(takeoverOf('replace')).isGuest()).toBe(false);
    const beside = serving(takeoverOf('keep'));
    expect([beside.standsBeside(), beside.fateOfClosed()]).toEqual([true, 'close']);
    beside.upstream = { is: 'none' };
    expect([beside.standsBeside(), beside.isAlone(), beside.fateOfClosed()]).toEqual([false, true, 'remove']);
  });

  it('is the heir beside it', () => {
    const standing = serving(null);
    standing.heir = heir;
    expect([standing.isAlone(), standing.isGuest(), standing.fateOfClosed()]).toEqual([false, false, 'close']);
  });
});

describe('whether clients are served', () => {
  it('changes with a pause, and not by an offer', () => {
    const standing = serving(null);
    const before = standing.phase;
    standing.enter(phase('offering', { before }));
    expect([standing.isServed(), standing.isAttempting(), standing.isOwner()]).toEqual([true, true, true]);
    expect(standing.fateOfClosed()).toBe('later');
    standing.enter(before);
    standing.enter(phase('paused'));
    expect([standing.isServed(), standing.isOwner()]).toEqual([false, true]);
    standing.heir = heir;
    expect(standing.isServed()).toBe(true);
  });

  it('is true after commit, and after leaving where another one serves', () => {
    const standing = serving(null);
    standing.enter(phase('offering', { before: standing.phase }));
    standing.enter(phase('draining'));
    expect([standing.isServed(), standing.isOwner(), standing.mayAdopt()]).toEqual([true, false, true]);
    expect(standing.fateOfClosed()).toBe('nothing');
    standing.enter(phase('left', { toAnother: true }));
    expect([standing.isServed(), standing.mayAdopt()]).toEqual([true, false]);
  });
});

describe('a predecessor that still drains', () => {
  it('is waited for where connections may come from it, and nowhere else', async () => {
    for (const takeover of [null, takeoverOf('share'), takeoverOf('keep')]) await serving(takeover).upstreamGone();
    const standing = serving(takeoverOf('replace'));
    let gone = false;
    let leave = () => {};
    standing.upstream = {
      is: 'connected',
      takeover: takeoverOf('replace'),
      gone: new Promise<void>((resolve) => {
        leave = resolve;
      }),
    };
    const waited = standing.upstreamGone().then(() => {
      gone = true;
    });
    await Promise.resolve();
    expect(gone).toBe(false);
    leave();
    await waited;
  });
});

it('tells of the next change, once', async () => {
  const standing = new Standing(null, () => {});
  const changed = standing.changed();
  expect(standing.isUndecided()).toBe(false);
  standing.enter(phase('taking-over'));
  expect(standing.isUndecided()).toBe(true);
  await changed;
  standing.enter(phase('serving'));
  standing.enter(phase('offering'));
  expect(standing.isUndecided()).toBe(true);
});
