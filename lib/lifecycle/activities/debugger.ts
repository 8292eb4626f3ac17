import { debuggerPort } from '../../process/debugger-port.ts';
import type { Successor } from '../../transaction/predecessor.ts';

/** The port can be another's once this process has committed; it is closed here as soon as that harms nobody. */
export function passDebugger(successor: Successor): void {
  const { address } = debuggerPort;
  if (address !== null && successor.passDebugger(address)) debuggerPort.promise();
}
