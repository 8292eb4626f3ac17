/**
 * The fault matrix as data: every frame and batch of a handoff, every fault, every kind of successor, and what has to be
 * true afterwards. All of it follows from rules; no cell is written by hand.
 */

export type Side = 'predecessor' | 'successor';

/** How the successor comes to be. */
export const kinds = ['spawned', 'separate'] as const;
export type Kind = (typeof kinds)[number];

/** Something that one side says to the other. */
export interface Utterance {
  readonly name: string;
  readonly occurrence: number;
  readonly from: Side;
}

/**
 * What is said in a handoff, in this order. Two batches of descriptors, because the server has more than go in one; the
 * third is of connections. What no handoff between two processes has is not in it: STATUS and PROGRESS answer other
 * questions, REFUSED ends a visit before it becomes a handoff, ABORT ends one that has failed already, and RELEASED is
 * said only while a third process takes over.
 */
export const utterances: readonly Utterance[] = (
  [
    ['HELLO', 1, 'successor'],
    ['WELCOME', 1, 'predecessor'],
    ['OFFER', 1, 'predecessor'],
    ['BATCH', 1, 'predecessor'],
    ['DESCRIPTORS', 1, 'predecessor'],
    ['RECEIVED', 1, 'successor'],
    ['BATCH', 2, 'predecessor'],
    ['DESCRIPTORS', 2, 'predecessor'],
    ['RECEIVED', 2, 'successor'],
    ['STATE', 1, 'predecessor'],
    ['READY', 1, 'successor'],
    ['COMMITTED', 1, 'predecessor'],
    ['UNCLAIMED', 1, 'successor'],
    ['STATE', 2, 'predecessor'],
    ['BATCH', 3, 'predecessor'],
    ['CONNECTIONS', 1, 'predecessor'],
    ['RECEIVED', 3, 'successor'],
    ['ADOPTED', 1, 'successor'],
    ['DRAINED', 1, 'predecessor'],
  ] as const
).map(([name, occurrence, from]) => ({ name, occurrence, from }));

/** What can go wrong, and to whom. */
export const faults = [
  'kill the sender before it',
  'kill the sender after it',
  'kill the receiver before it',
  'kill the receiver upon it',
  'stop the sender before it',
  'stop the receiver upon it',
  'cut it in the middle',
  'EMFILE in the successor',
  'truncate the control message',
  'fill the lane',
] as const;
export type Fault = (typeof faults)[number];

/** What the fault program is told: who acts, when, and how. */
export interface Act {
  readonly side: Side;
  readonly moment: 'sending' | 'sent' | 'received';
  readonly action: 'kill-self' | 'kill-peer' | 'stop-self' | 'cut' | 'exhaust' | 'exhaust-briefly' | 'fill-lane';
  readonly victim: Side;
  /** For `exhaust`: how many descriptors are left. */
  readonly leave: number;
}

export interface Cell {
  readonly utterance: Utterance;
  readonly fault: Fault;
  readonly kind: Kind;
  readonly act: Act;
}

/** A combination that cannot occur, and why. */
export interface Omission {
  readonly title: string;
  readonly reason: string;
}

export function opposite(side: Side): Side {
  return side === 'predecessor' ? 'successor' : 'predecessor';
}

export function titleOf({ utterance, fault, kind }: Pick<Cell, 'utterance' | 'fault' | 'kind'>): string {
  return `${utteranceTitle(utterance)}: ${fault} (${kind})`;
}

export function utteranceTitle({ name, occurrence }: Utterance): string {
  return utterances.some((other) => other.name === name && other.occurrence > 1) ? `${name} ${occurrence}` : name;
}

/** Where in a handoff an utterance stands. */
export function indexOf(name: string, occurrence = 1): number {
  return utterances.findIndex((utterance) => utterance.name === name && utterance.occurrence === occurrence);
}

function actOf({ name, occurrence, from }: Utterance, fault: Fault): Act | string {
  const to = opposite(from);
  const act = (side: Side, moment: Act['moment'], action: Act['action'], victim = side, leave = 0): Act => ({
    side,
    moment,
    action,
    victim,
    leave,
  });
  switch (fault) {
    case 'kill the sender before it':
      return act(from, 'sending', 'kill-self');
    case 'kill the sender after it':
      return act(from, 'sent', 'kill-self');
    case 'kill the receiver before it':
      return act(from, 'sending', 'kill-peer', to);
    case 'kill the receiver upon it':
      return act(to, 'received', 'kill-self');
    case 'stop the sender before it':
      return act(from, 'sending', 'stop-self');
    case 'stop the receiver upon it':
      return act(to, 'received', 'stop-self');
    case 'cut it in the middle':
      return act(from, 'sending', 'cut');
    case 'EMFILE in the successor':
      if (indexOf(name, occurrence) >= indexOf('READY')) {
        return 'the successor accepts by now: clients that an owner without descriptors turns away are not of the handoff';
      }
      return act('successor', from === 'successor' ? 'sending' : 'received', 'exhaust');
    case 'truncate the control message':
      if (name === 'CONNECTIONS') return act('successor', 'received', 'exhaust-briefly');
      if (name !== 'DESCRIPTORS')
        return 'only a batch has a control message; DESCRIPTORS or CONNECTIONS is when it is taken';
      // One less than the smallest batch: some arrive, and not all.
      return act('successor', 'received', 'exhaust', 'successor', 2);
    case 'fill the lane':
      return name === 'BATCH' ? act('predecessor', 'sending', 'fill-lane') : 'only batches travel on the lane';
    default:
      return fault satisfies never;
  }
}

/** Every cell, and every combination that is none. */
export function matrix(): { cells: Cell[]; omissions: Omission[] } {
  const cells: Cell[] = [];
  const omissions: Omission[] = [];
  for (const utterance of utterances) {
    for (const fault of faults) {
      for (const kind of kinds) {
        const act = actOf(utterance, fault);
        if (typeof act === 'string') omissions.push({ title: titleOf({ utterance, fault, kind }), reason: act });
        else cells.push({ utterance, fault, kind, act });
      }
    }
  }
  return { cells, omissions };
}

/** A part of the matrix with every utterance and every fault in it, and every pair of them once. */
export function everyPairOnce(cells: readonly Cell[]): Cell[] {
  return cells.filter(({ utterance, fault, kind }) => {
    const { name, occurrence } = utterance;
    const turn = (indexOf(name, occurrence) + faults.indexOf(fault)) % kinds.length;
    return kinds[turn] === kind;
  });
}

/** What has to be true after a cell. */
export interface Expectation {
  /** `nobody`: the fault has killed the only one there was; the next start serves. */
  readonly owner: Side | 'either' | 'nobody';
  /** Connections may be refused: nobody else holds the listener until somebody binds it afresh. */
  readonly refusals: boolean;
  /** Requests may fail: the process that had them in flight was killed, or was stopped for longer than they could wait. */
  readonly resets: boolean;
}

/** How much of the handoff had happened when the fault struck: the last utterance that has reached its receiver. */
function reached({ utterance, act }: Cell): number {
  const index = indexOf(utterance.name, utterance.occurrence);
  return act.moment === 'sending' ? index - 1 : index;
}

/** What a cell has to end with, by the rules of the handoff. */
export function expectationFor(cell: Cell): Expectation {
  const { act, utterance, kind } = cell;
  const last = reached(cell);
  const index = indexOf(utterance.name, utterance.occurrence);
  const kills = act.action.startsWith('kill');
  const stops = act.action.startsWith('stop');
  // The successor accepts from just before it says READY.
  const successorServes = index >= indexOf('READY');
  if (kills && act.victim === 'predecessor') {
    // It was the only holder of the listener until the second batch had arrived.
    const held = last >= indexOf('DESCRIPTORS', 2);
    return { owner: 'successor', refusals: !held, resets: true };
  }
  if (kills) {
    // From DRAINED on the predecessor has let go: the successor was the only one.
    if (index >= indexOf('DRAINED')) return { owner: 'nobody', refusals: true, resets: true };
    return { owner: 'predecessor', refusals: false, resets: successorServes };
  }
  if (stops && act.victim === 'predecessor') {
    // Until it has said COMMITTED it is the owner, however long it takes; the successor gives up.
    if (last < indexOf('COMMITTED')) return { owner: 'predecessor', refusals: false, resets: false };
    return { owner: 'successor', refusals: false, resets: false };
  }
  if (stops) {
    // The predecessor cuts off at its drain's deadline what it has sent and nobody has adopted.
    if (last >= indexOf('READY')) return { owner: 'successor', refusals: false, resets: index <= indexOf('ADOPTED') };
    // Before its HELLO nobody waits for it but the reception, and it may try again when that has turned it away.
    if (last < indexOf('HELLO') && kind === 'separate') return { owner: 'either', refusals: false, resets: false };
    // One that was spawned is killed when it is stopped for too long, with what it has accepted by then.
    return { owner: 'predecessor', refusals: false, resets: successorServes && kind === 'spawned' };
  }
  if (act.action === 'cut' && utterance.name !== 'BATCH' && utterance.name !== 'READY') {
    // Both live: after the newline the successor has it, before it the predecessor has. A successor that was started by
    // itself and has not got everything yet comes back by the control path.
    if (index >= indexOf('COMMITTED')) return { owner: 'successor', refusals: false, resets: false };
    return { owner: kind === 'separate' ? 'either' : 'predecessor', refusals: false, resets: false };
  }
  // What fails after commit fails for the connections that were to move: they stay and drain.
  const owner = index >= indexOf('COMMITTED') ? 'successor' : 'predecessor';
  return { owner, refusals: false, resets: false };
}
