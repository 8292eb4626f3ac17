import net from 'node:net';
import { Control } from '../../lib/channel/control.ts';
import { helloPayload } from '../../lib/handoff/hello.ts';
import type { HandoffStatus } from '../../lib/status.ts';

/** What the process on the control path `path` says of itself; it closes after that. */
export async function askStatus(path: string): Promise<HandoffStatus> {
  const control = new Control(net.connect(path), 'predecessor');
  control.send('HELLO', helloPayload('status', null));
  const { payload } = await control.expect(['STATUS'], new AbortController().signal);
  await control.closed;
  return payload as unknown as HandoffStatus;
}
