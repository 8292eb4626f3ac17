import type { HandoffStatus } from '../../lib/lifecycle/parts/status.ts';
import { askStatus as ask } from '../../lib/transaction/visits/status-inquiry.ts';

/** How long an answer may take, in milliseconds; it ends a test that hangs. */
const limit = 30_000;

/** What the process on the control path `path` says of itself. */
export async function askStatus(path: string): Promise<HandoffStatus> {
  return (await ask(path, limit)) as unknown as HandoffStatus;
}
