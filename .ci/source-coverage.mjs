// What llvm-cov exports of one or more compilations of the same sources, added up: a place is reached when it was reached
// in any of them.
import { join, relative } from 'node:path';

export const kinds = ['lines', 'branches', 'regions'];

// In llvm-cov's export a region is [line, column, end line, end column, count, …, kind].
const CODE_REGION = 0;

const rangeOf = (region) => region.slice(0, 4).join(':');

export class SourceCoverage {
  /** By file and kind: the places, each with its line and how often it was reached. */
  #files = new Map();

  /** Adds one compilation: what `llvm-cov export` says in the formats `text` (which is JSON) and `lcov` of `folder`. */
  add(folder, { text, lcov }) {
    this.#addLines(folder, lcov);
    for (const { name, filenames, regions, branches } of JSON.parse(text).data[0].functions) {
      const file = relative(folder, filenames[0]);
      const counts = new Map();
      for (const region of regions.filter((candidate) => candidate.at(-1) === CODE_REGION)) {
        counts.set(rangeOf(region), region[4]);
        // In macros there are several at one place.
        this.#count(file, 'regions', `${name} ${rangeOf(region)}`, region[0], region[4]);
      }
      for (const branch of branches) {
        const [line, , , , whenTrue, whenFalse] = branch;
        // A condition that the compiler knows has neither, though it was come by.
        if (whenTrue + whenFalse === 0 && counts.get(rangeOf(branch)) > 0) continue;
        this.#count(file, 'branches', `${name} ${rangeOf(branch)} true`, line, whenTrue);
        this.#count(file, 'branches', `${name} ${rangeOf(branch)} false`, line, whenFalse);
      }
    }
  }

  #addLines(folder, lcov) {
    let file = '';
    for (const record of lcov.split('\n')) {
      const [, type, value] = /^(SF|DA):(.*)$/.exec(record) ?? [];
      if (type === 'SF') file = relative(folder, value);
      if (type !== 'DA') continue;
      const [line, count] = value.split(',').map(Number);
      this.#count(file, 'lines', `${line}`, line, count);
    }
  }

  #count(file, kind, place, line, count) {
    // Headers of others.
    if (file.startsWith('..')) return;
    if (!this.#files.has(file)) this.#files.set(file, Object.fromEntries(kinds.map((each) => [each, new Map()])));
    const places = this.#files.get(file)[kind];
    places.set(place, { line, count: (places.get(place)?.count ?? 0) + count });
  }

  /** The files in their order, with what there is of each kind, and how much of that was reached. */
  summary() {
    const files = [...this.#files].sort(([one], [other]) => (one < other ? -1 : 1));
    return files.map(([file, places]) => ({
      file,
      ...Object.fromEntries(
        kinds.map((kind) => {
          const all = [...places[kind].values()];
          return [kind, { total: all.length, reached: all.filter(({ count }) => count > 0).length }];
        }),
      ),
    }));
  }

  /** Every line with something that was not reached, and what that is. */
  missed() {
    const lines = new Map();
    for (const [file, places] of this.#files) {
      for (const kind of kinds) {
        for (const [place, { line, count }] of places[kind]) {
          if (count > 0) continue;
          const key = join(file, `${line}`);
          if (!lines.has(key)) lines.set(key, { file, line, what: new Set() });
          lines.get(key).what.add(kind === 'branches' ? `when ${place.split(' ').at(-1)}` : kind.slice(0, -1));
        }
      }
    }
    return [...lines.values()].sort((one, other) =>
      one.file === other.file ? one.line - other.line : one.file < other.file ? -1 : 1,
    );
  }
}
