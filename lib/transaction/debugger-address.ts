import type { Frame } from '../channel/frame.ts';

/** What a successor says in `features` that opens the debugger's port once its predecessor has told it which one. */
export const debuggerFeature = 'debugger';

/** Where Node's inspector listens. */
export interface DebuggerAddress {
  readonly host: string;
  readonly port: number;
}

/** The address in a DEBUGGER frame; null for what is none: without a debugger a successor serves as well. */
export function readDebuggerAddress({ payload: { host, port } }: Frame): DebuggerAddress | null {
  if (typeof host !== 'string' || host === '') return null;
  return Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536 ? { host, port: Number(port) } : null;
}
