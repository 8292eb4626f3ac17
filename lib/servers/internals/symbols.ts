/** What Node keeps under symbols. */

/** What an object has under a symbol that only its name is known of. */
export function named<Value>(object: object, name: string): Value | undefined {
  const symbol = Object.getOwnPropertySymbols(object).find(({ description }) => description === name);
  return symbol === undefined ? undefined : ((object as Record<symbol, unknown>)[symbol] as Value);
}
