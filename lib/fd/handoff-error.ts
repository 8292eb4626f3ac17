import { putCodeInStack } from './coded-stack.ts';

/** Every code of the library's own errors. The list only ever grows. */
export const handoffErrorCodes = [
  'ERR_HANDOFF_BUSY',
  'ERR_HANDOFF_NOT_READY',
  'ERR_HANDOFF_REFUSED',
  'ERR_HANDOFF_UNTRUSTED_PEER',
  'ERR_HANDOFF_VERSION',
  'ERR_HANDOFF_PROTOCOL',
  'ERR_HANDOFF_TIMEOUT',
  'ERR_HANDOFF_ABORTED',
  'ERR_HANDOFF_SUCCESSOR_EXITED',
  'ERR_HANDOFF_PREDECESSOR_EXITED',
  'ERR_HANDOFF_DESCRIPTOR_MISMATCH',
  'ERR_HANDOFF_TRUNCATED',
  'ERR_HANDOFF_ALREADY_OWNED',
  'ERR_HANDOFF_UNCLAIMED',
  'ERR_HANDOFF_EXEC_FAILED',
  'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
] as const;

/** What went wrong, as programs tell it apart: one of `handoffErrorCodes`. */
export type HandoffErrorCode = (typeof handoffErrorCodes)[number];

/**
 * Whether `value` is one of the library's own error codes.
 *
 * A peer of a later version may send a code that this one does not know: then this is `false`.
 */
export function isHandoffErrorCode(value: unknown): value is HandoffErrorCode {
  return (handoffErrorCodes as readonly unknown[]).includes(value);
}

/**
 * An error of the library itself, told apart by `code`.
 *
 * Failed system calls are not wrapped in it: they look like Node's (`code: 'EADDRINUSE'`, `errno`, `syscall`).
 */
export class HandoffError extends Error {
  readonly code: HandoffErrorCode;

  /**
   * @param code One of the `ERR_HANDOFF_*` codes.
   * @param message What happened, to which name or path, and what to do.
   * @param options `cause`: the error behind this one.
   */
  constructor(code: HandoffErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    putCodeInStack(this, code, new.target);
  }
}

Object.defineProperty(HandoffError.prototype, 'name', { value: 'HandoffError', configurable: true, writable: true });
