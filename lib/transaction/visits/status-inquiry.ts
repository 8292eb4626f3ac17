import { Deadline } from '../../channel/deadline.ts';
import type { JsonObject } from '../../channel/frame.ts';
import { visit } from './visit.ts';

/**
 * What the process on the control path `path` says of itself. Another program than one with this library may say less, or
 * other things.
 *
 * @param timeout how long all of it may take, in milliseconds
 * @throws ERR_HANDOFF_TIMEOUT, and what `visit()` throws
 */
export async function askStatus(path: string, timeout: number, signal?: AbortSignal): Promise<JsonObject> {
  using deadline = Deadline.after(timeout, `The process on ${path} has not answered`, signal);
  const { control, frame } = await visit(path, 'status', 'STATUS', deadline.signal);
  control.destroy();
  return frame.payload;
}
