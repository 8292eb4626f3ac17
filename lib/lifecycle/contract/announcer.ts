import type { HandoffError } from '../../fd/handoff-error.ts';
import type { PeerCredentials } from '../../fd/peer-credentials.ts';
import type { PhaseChange } from '../decision/transitions.ts';
import type { HandoffEvents } from './events.ts';

/** What is told only to whoever watches, by its name. */
export interface Unspoken {
  'fd-handoff:phase': PhaseChange;
  'fd-handoff:refusal': { readonly error: HandoffError; readonly peer: PeerCredentials | null };
}

/** Tells the application, and whoever watches, what happens. Nothing that they do stops it. */
export interface Announcer {
  /** For whoever watches, and nobody else. */
  publish<Name extends keyof Unspoken>(name: Name, message: Unspoken[Name]): void;
  tell<Name extends Exclude<keyof HandoffEvents, 'error'>>(name: Name, ...payload: HandoffEvents[Name]): void;
  /** For what nobody is told of by a rejection. */
  report(error: unknown): void;
  /** For what nobody awaits: its failure is reported, and changes nothing else. */
  inBackground(work: Promise<unknown>): void;
}
