import type { Control } from '../channel/control.ts';
import { Deadline } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { connectTo } from '../transaction/path/control-path.ts';
import { greet } from '../transaction/visits/visit.ts';

/**
 * How long a process that serves may take to say anything at all, in milliseconds. It does so in one or two, and one that
 * has to take its service back first in less than a hundred; whoever asks serves meanwhile.
 */
const answerTimeout = 500;

/** Whether somebody answers on the control path `path`. What is answered does not matter. */
export async function isAnswered(path: string): Promise<boolean> {
  using deadline = Deadline.after(answerTimeout, `Nobody answered on ${path}`);
  let control: Control | null = null;
  try {
    const connection = await connectTo(path, deadline.signal);
    if (connection === null) return false;
    control = greet(connection, 'status');
    await control.expect(['STATUS', 'REFUSED'], deadline.signal);
    return true;
  } catch (error) {
    if (error instanceof HandoffError) return false;
    throw error;
  } finally {
    control?.destroy();
  }
}
