import { InvalidArgumentError } from 'commander';

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads `500ms`, `30s`, `2m` or `1h`; a number alone is seconds. For commander: throws its error for anything else. */
export function parseDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError(`"${text}" is no duration: 500ms, 30s and 2m are.`);
  return Number(amount) * (milliseconds[unit] as number);
}
