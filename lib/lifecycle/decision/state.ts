/**
 * What there is before this process. `'predecessor'`: it serves, and is to be replaced. `'draining'`: it is replaced, and
 * finishes what it has. `'owner'`: it serves on beside this process, which inherits its role. `'sharers'`: others serve on
 * the same listeners, and leave this process nothing.
 */
export type Before = 'nobody' | 'predecessor' | 'draining' | 'owner' | 'sharers';

/** Who serves beside a process. */
export interface Company {
  readonly before: Before;
  /** A successor beside this process, which inherits its role when it leaves. */
  readonly heir: boolean;
}

/** What a process is at a moment: everything that decides what may follow. */
export type State =
  /** Before `ready()`. */
  | { readonly is: 'starting'; readonly before: Before; readonly rehearsal: boolean }
  /** `ready()` runs. */
  | { readonly is: 'taking-over'; readonly before: Before; readonly rehearsal: boolean }
  /** The owner, or beside one. */
  | ({ readonly is: 'serving' } & Company)
  /** The owner, which accepts nothing for a while and keeps its listeners. `'resume'`: it is about to accept again. */
  | ({ readonly is: 'paused'; readonly next: 'stay' | 'resume' } & Company)
  /** The owner, told to stop: for a while it says so, and serves on. */
  | ({ readonly is: 'announcing' } & Company)
  /** The owner, with a successor on its way. Without one it is what it was before, and does what has come up since. */
  | ({ readonly is: 'offering'; readonly from: Owning; readonly afterwards: Afterwards } & Company)
  /** Committed: the successor owns, and this process finishes what it has, or takes it back because the successor died. */
  | ({ readonly is: 'draining'; readonly step: 'finishing' | 'taking-back'; readonly told: boolean } & Company)
  /** The owner, about to replace its own image once the next version has passed the preflight. */
  | ({ readonly is: 'rehearsing' } & Company)
  /** The owner, which replaces its own image: it still accepts, finishes what it has, or takes it back. */
  | ({ readonly is: 'draining-in-place'; readonly step: 'preparing' | 'finishing' | 'taking-back' } & Company)
  /** No successor: this process finishes what it has. `'called-off'`: its own `ready()` failed; `told` to stop besides. */
  | ({ readonly is: 'shutting-down'; readonly why: 'shutdown' | 'called-off'; readonly told: boolean } & Company)
  /** Drained. `toAnother`: somebody else serves. */
  | ({ readonly is: 'left'; readonly toAnother: boolean; readonly told: boolean } & Company);

/** The name of a state, as `status()` and the diagnostics channels tell it. */
export type PhaseName =
  | 'starting'
  | 'taking-over'
  | 'serving'
  | 'paused'
  | 'announcing'
  | 'offering'
  | 'draining'
  | 'rehearsing'
  | 'draining-in-place'
  | 'shutting-down'
  | 'left';

/** The states in which nothing is under way, and something can begin. */
export type Owning = 'serving' | 'paused' | 'announcing';

/** What has to follow an offer that has left this process the owner. */
export type Afterwards = 'nothing' | 'stop' | 'resume';

/** What becomes of the listener of a server that the application closes by itself: that is how it takes one out. */
export type FateOfClosed = 'return' | 'later' | 'remove' | 'close' | 'nothing';

export function isOwning(is: PhaseName): is is Owning {
  return is === 'serving' || is === 'paused' || is === 'announcing';
}

/** Whether this process serves no more, unless it takes back what it drains for a successor. */
export function isLeaving({ is }: State): boolean {
  return is === 'draining' || is === 'shutting-down' || is === 'left';
}

/** Whether a handoff has begun, and nothing was stopped for it. */
export function isAttempting({ is }: State): boolean {
  return is === 'offering' || is === 'rehearsing';
}

export function isOwner(state: State): boolean {
  return isAttempting(state) || isOwning(state.is);
}

/** Whether something is under way that leaves this process the owner or not: each has a deadline of its own. */
export function isUndecided(state: State): boolean {
  return isAttempting(state) || state.is === 'taking-over';
}

/** Whether those that this process came to serve on by themselves: then what both hold is not this process's to remove. */
export function isGuest({ before }: State): boolean {
  return before === 'predecessor' || before === 'owner' || before === 'sharers';
}

/** Whether this process serves beside the owner that has started it, and would inherit its role. */
export function standsBeside(state: State): boolean {
  return state.before === 'owner' && state.is !== 'starting' && state.is !== 'taking-over';
}

export function hasHeir(state: State): boolean {
  return 'heir' in state && state.heir;
}

/** Whether nobody else serves what this process does. */
export function isAlone(state: State): boolean {
  return !hasHeir(state) && !isGuest(state);
}

/** Whether clients are served, by this process or by another one in its place. */
export function isServed(state: State): boolean {
  switch (state.is) {
    case 'serving':
    case 'rehearsing':
    case 'draining':
    case 'draining-in-place':
      return true;
    case 'offering':
      return state.from === 'serving' || state.heir;
    case 'starting':
    case 'taking-over':
      return state.before !== 'nobody';
    case 'paused':
    case 'announcing':
    case 'shutting-down':
      return state.heir || isGuest(state);
    case 'left':
      return state.toAnother;
  }
}

/** Whether a connection that the predecessor moves would be served here, or by a successor that takes it on. */
export function mayAdopt({ is }: State): boolean {
  return is !== 'starting' && is !== 'shutting-down' && is !== 'left';
}

export function fateOfClosed(state: State): FateOfClosed {
  if (state.is === 'starting' || state.is === 'taking-over') return 'return';
  if (state.is === 'offering') return 'later';
  if (!isOwning(state.is)) return 'nothing';
  return isAlone(state) ? 'remove' : 'close';
}
