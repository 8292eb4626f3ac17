import { channel } from 'node:diagnostics_channel';
import type { FrameTrace } from '../channel/trace.ts';
import type { HandoffError } from '../fd/handoff-error.ts';
import type { PeerCredentials } from '../fd/peer-credentials.ts';
import type { DrainReport, HandoffEvents } from '../lifecycle/contract/events.ts';
import type { PhaseName } from '../lifecycle/decision/state.ts';
import type { LostOutput } from '../process/output/standard-output.ts';
import type { Mode, OfferPhase } from '../transaction/predecessor.ts';

/** What every message but that of a frame has: who publishes it, since a process may have several. */
export interface DiagnosticsMessage<App> {
  readonly handoff: App;
}

/**
 * What each channel of `node:diagnostics_channel` publishes, by the channel's name. Subscribers are called in the middle of
 * a step: one that takes long delays it. What one throws is an uncaught exception (`channel.publish()` in Node).
 */
export interface Diagnostics<App> {
  /** The process is in another phase from now on; `cause` is for people. */
  'fd-handoff:phase': DiagnosticsMessage<App> & {
    readonly from: PhaseName;
    readonly to: PhaseName;
    readonly cause: string;
  };
  /** A successor has come, and has got so far. */
  'fd-handoff:offer': DiagnosticsMessage<App> & {
    readonly pid: number;
    readonly mode: Mode;
    readonly phase: OfferPhase;
  };
  /** The successor is the owner (`replace`), or serves as well. At a re-exec `pid` is this process's own. */
  'fd-handoff:commit': DiagnosticsMessage<App> & { readonly pid: number; readonly mode: Mode };
  /** A handoff failed; this process serves on. */
  'fd-handoff:rollback': DiagnosticsMessage<App> & { readonly error: Error };
  /** The successor `pid` died while this process drained; this process serves again. */
  'fd-handoff:give-back': DiagnosticsMessage<App> & { readonly pid: number };
  /** This process accepts no more for a while, and keeps its listeners. */
  'fd-handoff:pause': DiagnosticsMessage<App>;
  /** It accepts again. */
  'fd-handoff:resume': DiagnosticsMessage<App>;
  /** A signal says that log files were renamed. */
  'fd-handoff:reopen': DiagnosticsMessage<App> & { readonly signal: NodeJS.Signals };
  /** This process is drained and about to leave. */
  'fd-handoff:drain': DiagnosticsMessage<App> & DrainReport;
  /** Something failed that nobody awaits. */
  'fd-handoff:error': DiagnosticsMessage<App> & { readonly error: Error };
  /** Somebody was turned away on the control path; `peer` is null where the kernel did not say who it was. */
  'fd-handoff:refusal': DiagnosticsMessage<App> & {
    readonly error: HandoffError;
    readonly peer: PeerCredentials | null;
  };
  /** Output of this process could not be written; the process goes on. */
  'fd-handoff:output': DiagnosticsMessage<App> & LostOutput;
  /** A frame, a batch of descriptors or the newline was sent or received. */
  'fd-handoff:frame': FrameTrace;
}

/** Tells whoever has subscribed to the channel; costs a look-up where nobody has. */
export function publish<App, Name extends keyof Diagnostics<App>>(name: Name, message: Diagnostics<App>[Name]): void {
  channel(name).publish(message);
}

/** Publishes an event of `handoff` on the channel of its name. */
export function publishEvent<Name extends keyof HandoffEvents>(
  handoff: object,
  name: Name,
  payload: HandoffEvents[Name][0],
): void {
  channel(`fd-handoff:${name}`).publish({ handoff, ...payload });
}
