/** A signal that never aborts, for waits whose end a test brings about by itself. */
export const never = new AbortController().signal;
