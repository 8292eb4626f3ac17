import { Deadline } from '../../channel/deadline.ts';
import { errorFrom, readInteger, readString } from '../../channel/frame.ts';
import type { HammerRequest } from './hammer-answer.ts';
import { visit } from './visit.ts';

/**
 * How long the end of one that is hammered may take, in milliseconds: its `onClose` hooks have ten seconds, and whoever was
 * asked gives up a moment before this.
 */
const endLimit = 20_000;

/** Which process was meant. */
export interface Hammered {
  readonly pid: number;
  readonly generation: number;
}

/**
 * Asks the process on the control path `path` to end a generation by force; resolves when that is gone.
 *
 * @param timeout how long the process may take to begin, in milliseconds; `onBegun` is called when it has: what fails
 *   then was tried
 * @throws ERR_HANDOFF_REFUSED where it is not clear which one is meant, where it serves, and by an earlier version that
 *   cannot; ERR_HANDOFF_TIMEOUT where it does not end; what `visit()` throws
 */
export async function requestHammer(
  path: string,
  { pid, generation, serving }: HammerRequest,
  { timeout, onBegun }: { readonly timeout: number; readonly onBegun: () => void },
): Promise<Hammered> {
  using answering = Deadline.after(timeout, `The process on ${path} has not answered`);
  const details = { target: { pid, generation }, serving };
  const { control, frame } = await visit(path, 'hammer', 'PROGRESS', answering.signal, details);
  using ending = Deadline.after(endLimit, `The process on ${path} has not said how it ended`);
  try {
    for (let next = frame; ; next = await control.expect(['PROGRESS'], ending.signal)) {
      const phase = readString(next, 'phase');
      if (phase === 'failed') throw errorFrom(next);
      if (phase === 'done') return { pid: readInteger(next, 'pid'), generation: readInteger(next, 'generation') };
      onBegun();
    }
  } finally {
    control.destroy();
  }
}
