import type { Control } from '../../channel/control.ts';
import { Deadline } from '../../channel/deadline.ts';
import { errorFrom, type Frame, readInteger, readString } from '../../channel/frame.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { visit } from './visit.ts';

/** How long a process that does not say how long its upgrade may take is waited for, in milliseconds: two default starts. */
const defaultLimit = 120_000;

/**
 * How much longer than it has said a process is waited for, in milliseconds: its own deadline ends first, and it needs a
 * moment to say so.
 */
const limitGrace = 5_000;

/** How far the upgrade is. */
export interface UpgradeProgress {
  /** `starting`, the phases of an offer, or what a later version has besides. */
  readonly phase: string;
  /** The successor, as soon as there is one. */
  readonly pid: number | null;
}

export interface UpgradeRequestOptions {
  /** How long the process may take to begin, in milliseconds. */
  readonly timeout: number;
  /** Hears of each step, the first of which says that the process has begun. `from` is the process that was asked. */
  readonly onProgress: (progress: UpgradeProgress, from: number) => void;
  /** Ends the wait; the upgrade goes on. */
  readonly signal?: AbortSignal;
}

/**
 * Asks the process on the control path `path` to replace itself, as its own `upgrade()` would; resolves with the process
 * ids of both when the successor is the owner.
 *
 * @throws what its `upgrade()` rejects with, by code and in its words; ERR_HANDOFF_BUSY and ERR_HANDOFF_NOT_READY where it does
 *   not begin; ERR_HANDOFF_TIMEOUT and ERR_HANDOFF_PREDECESSOR_EXITED where nothing more is heard of it; what `visit()`
 *   throws
 */
export async function requestUpgrade(
  path: string,
  { timeout, onProgress, signal }: UpgradeRequestOptions,
): Promise<{ from: number; to: number }> {
  using answering = Deadline.after(timeout, `The process on ${path} has not begun (it may still do so)`, signal);
  const { control, frame } = await visit(path, 'upgrade', 'PROGRESS', answering.signal);
  const from = control.peerPid ?? 0;
  const limit = (frame.payload.limit == null ? defaultLimit : readInteger(frame, 'limit')) + limitGrace;
  using ending = Deadline.after(limit, `Process ${from} on ${path} has not said how its upgrade ended`, signal);
  try {
    for (let next = frame; ; next = await nextFrame(control, path, ending.signal)) {
      const phase = readString(next, 'phase');
      if (phase === 'done') return { from, to: readInteger(next, 'pid') };
      if (phase === 'failed') throw notReplaced(from, errorFrom(next));
      onProgress({ phase, pid: next.payload.pid == null ? null : readInteger(next, 'pid') }, from);
    }
  } finally {
    control.destroy();
  }
}

/** In the reason "this process" is the one that was asked. */
function notReplaced(pid: number, reason: HandoffError): HandoffError {
  return new HandoffError(reason.code, `Process ${pid} was not replaced: ${reason.message}`, { cause: reason });
}

async function nextFrame(control: Control, path: string, signal: AbortSignal): Promise<Frame> {
  try {
    return await control.expect(['PROGRESS'], signal);
  } catch (error) {
    if (!(error instanceof HandoffError) || error.code !== 'ERR_HANDOFF_PREDECESSOR_EXITED') throw error;
    throw new HandoffError(
      'ERR_HANDOFF_PREDECESSOR_EXITED',
      `Process ${control.peerPid} on ${path} went away before it had said how its upgrade ended.`,
      { cause: error },
    );
  }
}
