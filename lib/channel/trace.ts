import { channel } from 'node:diagnostics_channel';
import type { FrameName } from './frame.ts';

/** What is said between two processes: a frame, a batch on the lane, the newline on the ready pipe. */
export type Utterance = FrameName | 'BATCH' | 'READY';

/** What `fd-handoff:frame` publishes, on `node:diagnostics_channel`, for every one of them. */
export interface FrameTrace {
  /** `sending`: not written yet. `sent`: the kernel has it. `received`: before anything was done about it. */
  readonly moment: 'sending' | 'sent' | 'received';
  readonly name: Utterance;
  /** Who is at the other end. */
  readonly peer: 'predecessor' | 'successor';
  /** The other end's process, as far as it is known. */
  readonly peerPid: number | null;
}

const frames = channel('fd-handoff:frame');

/** Tells whoever listens; costs a comparison where nobody does. */
export function trace(
  moment: FrameTrace['moment'],
  name: Utterance,
  { peer, peerPid }: { readonly peer: FrameTrace['peer']; readonly peerPid: number | null },
): void {
  if (frames.hasSubscribers) frames.publish({ moment, name, peer, peerPid } satisfies FrameTrace);
}
