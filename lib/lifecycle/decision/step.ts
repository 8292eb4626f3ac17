import type { Order } from './order.ts';
import type { State } from './state.ts';

/** Why something that is wanted may not be done now. */
export type Refusal =
  | 'ready-twice'
  | 'not-ready'
  | 'offering'
  | 'renewing'
  | 'paused'
  | 'resuming'
  | 'told-to-stop'
  | 'not-owner'
  | 'beside-another';

/** What follows an event. */
export type Step =
  | { readonly is: 'taken'; readonly state: State; readonly orders: readonly Order[] }
  /** It was wanted, and may not be: whoever wants it is told why. Nothing changes. */
  | { readonly is: 'refused'; readonly why: Refusal }
  /** Something else came first, as a stop does: the activity that has come so far gives up. */
  | { readonly is: 'overtaken'; readonly state: State; readonly orders: readonly Order[] }
  /** There is no way to it: a bug, and said so. */
  | { readonly is: 'impossible'; readonly because: string };

export function taken(state: State, ...orders: readonly Order[]): Step {
  return { is: 'taken', state, orders };
}

export function overtaken(state: State, ...orders: readonly Order[]): Step {
  return { is: 'overtaken', state, orders };
}

export function refused(why: Refusal): Step {
  return { is: 'refused', why };
}

export function impossible(because: string): Step {
  return { is: 'impossible', because };
}
