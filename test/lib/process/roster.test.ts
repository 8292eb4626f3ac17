import { describe, expect, it } from 'vitest';
import { type Member, Roster } from '../../../lib/process/roster.ts';

function member(options: Partial<Member> = {}): Member {
  return { listens: true, exits: true, owns: () => true, control: null, ...options };
}

describe('the handoffs of a process', () => {
  it('are numbered in the order of their calls, those left out that came to nothing', () => {
    const roster = new Roster();
    expect([roster.begin(null), roster.begin(null)]).toEqual([0, 1]);
    roster.giveUp(null);
    const first = roster.join(member());
    expect(roster.begin(null)).toBe(1);
    const second = roster.join(member());
    expect([first.ordinal, second.ordinal]).toEqual([0, 1]);
    expect([first.hasCompany, second.hasCompany]).toEqual([true, true]);
  });

  it('keep their numbers when one has left that the process ends with, and not when it goes on without', () => {
    for (const exits of [true, false]) {
      const roster = new Roster();
      roster.begin(null);
      const first = roster.join(member({ exits }));
      roster.begin(null);
      const second = roster.join(member());
      first.depart(exits ? 0 : null);
      expect(second.ordinal).toBe(exits ? 1 : 0);
      expect(second.hasCompany).toBe(false);
    }
  });

  it('the first that listens and owns something acts for all', () => {
    const roster = new Roster();
    const owning = [true, true, true];
    const members = [false, true, true].map((listens, index) => {
      roster.begin(null);
      return roster.join(member({ listens, owns: () => owning[index] as boolean }));
    });
    const leading = () => members.map(({ leads }) => leads);
    expect(leading()).toEqual([false, true, false]);
    owning[1] = false;
    expect(leading()).toEqual([false, false, true]);
    owning[2] = false;
    // Nobody can: one of them has to say why not.
    expect(leading()).toEqual([false, true, false]);
  });

  it('wait for one another: until the others own nothing, or have left, or the process does not wait for them', async () => {
    const roster = new Roster();
    let owns = true;
    roster.begin(null);
    const first = roster.join(member());
    roster.begin(null);
    const second = roster.join(member({ owns: () => owns }));
    roster.begin(null);
    roster.join(member({ exits: false }));
    let over = false;
    const waited = first.othersHandedOver().then(() => {
      over = true;
    });
    second.noteChange();
    await new Promise((resolve) => setImmediate(resolve));
    expect(over).toBe(false);
    owns = false;
    second.noteChange();
    await waited;
    owns = true;
    const again = first.othersHandedOver();
    second.depart(0);
    await again;
  });

  it('end the process together, with the worst of their exit codes', () => {
    const roster = new Roster();
    const join = (exits: boolean) => {
      roster.begin(null);
      return roster.join(member({ exits }));
    };
    const [first, second, failed, free] = [join(true), join(true), join(true), join(false)] as const;
    expect(first.depart(1)).toBeNull();
    // One whose ready() failed ends nothing by itself, and keeps nobody.
    expect(failed.depart(null)).toBeNull();
    expect(second.depart(0)).toBe(1);
    expect(free.hasCompany).toBe(false);
  });

  it('one alone that does not want the process to end, or has failed, leaves it running', () => {
    for (const exits of [true, false]) {
      const roster = new Roster();
      roster.begin(null);
      expect(roster.join(member({ exits })).depart(null)).toBeNull();
    }
  });
});

describe('a control path', () => {
  const twice = expect.objectContaining({ code: 'ERR_HANDOFF_ALREADY_OWNED' });

  it('is of one call, from its beginning until it owns nothing any more', () => {
    const roster = new Roster();
    let owns = true;
    roster.begin('/run/app.sock');
    expect(() => roster.begin('/run/app.sock')).toThrow(twice);
    const first = roster.join(member({ control: '/run/app.sock', owns: () => owns }));
    expect(() => roster.begin('/run/app.sock')).toThrow(twice);
    expect(roster.begin('/run/other.sock')).toBe(1);
    roster.giveUp('/run/other.sock');
    owns = false;
    expect(roster.begin('/run/app.sock')).toBe(1);
    first.depart(null);
  });

  it('that was given up is free, and calls without one are as many as one likes', () => {
    const roster = new Roster();
    roster.begin('@app');
    roster.giveUp('@app');
    expect([roster.begin('@app'), roster.begin(null), roster.begin(null)]).toEqual([0, 1, 2]);
  });
});
