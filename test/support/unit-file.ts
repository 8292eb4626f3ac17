import { readFileSync } from 'node:fs';

/**
 * A unit file of the documentation with other values: null takes a directive out, and one that is not in it is added to
 * the section of the unit's own kind.
 */
export function documentedUnit(name: string, values: Readonly<Record<string, string | null>>): string {
  const text = readFileSync(new URL(`../../docs/systemd/${name}`, import.meta.url), 'utf8');
  const missing = new Map(Object.entries(values));
  const lines = text.split('\n').flatMap((line) => {
    const key = /^(\w+)=/.exec(line)?.[1];
    const value = key === undefined ? undefined : values[key];
    if (key === undefined || value === undefined) return [line];
    missing.delete(key);
    return value === null ? [] : [`${key}=${value}`];
  });
  const added = [...missing].filter(([, value]) => value !== null).map(([key, value]) => `${key}=${value}`);
  const section = name.endsWith('.socket') ? '[Socket]' : '[Service]';
  lines.splice(lines.indexOf(section) + 1, 0, ...added);
  return lines.join('\n');
}
