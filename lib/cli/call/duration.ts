import { InvalidArgumentError } from 'commander';

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `setTimeout()` takes 31 bits of milliseconds, and fires at once where it is given more. */
const longest = 2 ** 31 - 1;

/** Reads `500ms`, `30s`, `2m` or `1h`; a number alone is seconds. For commander: throws its error for anything else. */
export function parseDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError(`"${text}" is no duration: 500ms, 30s and 2m are.`);
  const duration = Number(amount) * (milliseconds[unit] as number);
  if (duration <= longest) return duration;
  throw new InvalidArgumentError(`"${text}" is too long: 24 days are the most.`);
}

/** The same for what must not be nothing. */
export function parseWait(text: string): number {
  const duration = parseDuration(text);
  if (duration > 0) return duration;
  throw new InvalidArgumentError('Give more than 0.');
}
