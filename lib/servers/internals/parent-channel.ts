/** The channel that `fork()` has given this process. */
import { named } from './symbols.ts';

/** The channel that `fork()` has given this process, to whoever has forked it. */
export interface ParentChannel {
  /** Its descriptor; borrowed. */
  readonly fd: number;
  /** What comes from now on stays in the kernel. */
  stopReading(): void;
  startReading(): void;
  /**
   * Whether nothing is half done: no part of a message was read, none is still to be written, and no handle waits for the
   * other side's word that it has arrived.
   */
  isQuiet(): boolean;
}

interface ChannelHandle {
  readonly fd?: number;
  readonly writeQueueSize?: number;
  readStop?(): void;
  readStart?(): void;
  [state: symbol]: unknown;
}

/**
 * The channel of this process to its parent; null where there is none, or where this runtime does not tell what is read of
 * it. Relies on `process[kChannelHandle]`, a pipe whose `kJSONBuffer` and `kStringDecoder` (or `kMessageBuffer`, with
 * advanced serialization) have what has come of a message, and on `process._handleQueue`, which is set while a handle is
 * under way. Where one of them is gone the channel does not survive an exec.
 */
export function parentChannel(): ParentChannel | null {
  const handle = named<ChannelHandle>(process, 'kChannelHandle');
  if (process.connected !== true || handle === undefined || typeof handle.fd !== 'number' || handle.fd < 0) return null;
  if (handle.readStop === undefined || handle.readStart === undefined) return null;
  return {
    fd: handle.fd,
    stopReading: () => handle.readStop?.(),
    startReading: () => handle.readStart?.(),
    isQuiet: () => isEmptied(handle) && handle.writeQueueSize === 0 && !passesHandles(),
  };
}

function isEmptied(handle: ChannelHandle): boolean {
  const text = named<string>(handle, 'kJSONBuffer');
  if (text !== undefined)
    return text === '' && (named<{ lastNeed?: number }>(handle, 'kStringDecoder')?.lastNeed ?? 0) === 0;
  const pieces = named<unknown[]>(handle, 'kMessageBuffer');
  return pieces !== undefined && pieces.length === 0;
}

function passesHandles(): boolean {
  const { _handleQueue: queue, _pendingMessage: pending } = process as {
    _handleQueue?: unknown;
    _pendingMessage?: unknown;
  };
  return (queue ?? pending ?? null) !== null;
}
