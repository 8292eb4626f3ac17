/** setTimeout() takes 32 bits; more would fire at once. */
const longestTimeout = 2 ** 31 - 1;

/** A timeout in milliseconds: 0 to about 24.8 days. */
export function readTimeout(name: string, value: number): number {
  if (typeof value !== 'number') {
    throw invalid(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" option must be a number. Received ${typeof value}`);
  }
  if (value >= 0 && value <= longestTimeout) return value;
  throw invalid(
    RangeError,
    'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be >= 0 and <= ${longestTimeout} milliseconds. Received ${value}`,
  );
}

function invalid(type: ErrorConstructor, code: string, message: string): Error {
  return Object.assign(new type(message), { code });
}
