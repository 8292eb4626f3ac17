import { stripVTControlCharacters } from 'node:util';

/** Which side of its column a text stands at. */
export type Side = 'left' | 'right';

/**
 * Rows as lines, their columns two spaces apart. What colours a text takes no room. Characters of double width are not
 * known here: names and addresses have none.
 */
export function alignColumns(rows: readonly (readonly string[])[], sides: readonly Side[]): string[] {
  const widths = sides.map((_, column) => Math.max(...rows.map((row) => widthOf(row[column]))));
  return rows.map((row) =>
    sides
      .map((side, column) => {
        const text = row[column] ?? '';
        const room = ' '.repeat((widths[column] as number) - widthOf(text));
        return side === 'left' ? text + room : room + text;
      })
      .join('  ')
      .trimEnd(),
  );
}

function widthOf(text = ''): number {
  return stripVTControlCharacters(text).length;
}
