/** What `Error.captureStackTrace` leaves out of a stack, with everything above it. */
export type CallSite = Parameters<typeof Error.captureStackTrace>[1];

/**
 * Puts an error's code into the first line of its stack, as Node's own errors have it (`TypeError [ERR_…]: …`), while
 * `name` stays plain.
 *
 * @param hide The function below which the stack is to begin, so that it points at the caller.
 */
export function putCodeInStack(error: Error, code: string, hide: CallSite): void {
  Object.defineProperty(error, 'name', { value: `${error.name} [${code}]`, configurable: true });
  Error.captureStackTrace(error, hide);
  // The line is put together when the stack is first read, as far as a source map is in use.
  Reflect.get(error, 'stack');
  Reflect.deleteProperty(error, 'name');
}
