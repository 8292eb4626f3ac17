/** How many of each kind are named by their plural, which English makes of the singular's last letters. */
function plural(kind: string): string {
  return /(s|ch|sh|x)$/.test(kind) ? `${kind}es` : `${kind}s`;
}

/** What was cut off at the end of a drain, by its kind. As a string: "2 answers, 1 websocket". */
export class CutOff {
  readonly #counts = new Map<string, number>();

  add(kind: string): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  toString(): string {
    const largestFirst = [...this.#counts].sort(([, one], [, other]) => other - one);
    return largestFirst.map(([kind, count]) => `${count} ${count === 1 ? kind : plural(kind)}`).join(', ');
  }
}
