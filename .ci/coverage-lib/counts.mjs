// What V8 has counted in all processes, added up and led back to lib/.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mergeProcessCovs } from '@bcoe/v8-coverage';
import { parse } from 'acorn';
import { convert } from 'ast-v8-to-istanbul';
import istanbul from 'istanbul-lib-coverage';
import { addressOf } from './compiled.mjs';

/** As many as are added up at once: thousands of processes have written half a megabyte each. */
const batchSize = 64;

/** A process that was killed while it wrote has left no JSON. */
function scriptsOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).result;
  } catch {
    return [];
  }
}

function addUp(folder, isCounted) {
  const names = readdirSync(folder);
  let sum = { result: [] };
  while (names.length > 0) {
    const batch = names
      .splice(0, batchSize)
      .map((name) => ({ result: scriptsOf(join(folder, name)).filter(isCounted) }));
    sum = mergeProcessCovs([sum, ...batch]);
  }
  return new Map(sum.result.map((script) => [script.url, script]));
}

/** For a file that no process has loaded. */
function neverRun(url, code) {
  const ranges = [{ startOffset: 0, endOffset: code.length, count: 0 }];
  return { scriptId: '0', url, functions: [{ functionName: '', isBlockCoverage: true, ranges }] };
}

/** The lines and branches of lib/, with how often they ran in the processes that have written to `folder`. */
export async function coverageOf(library, folder) {
  const urls = new Map([...library.keys()].map((path) => [addressOf(path), path]));
  const counted = addUp(folder, ({ url }) => urls.has(url));
  const map = istanbul.createCoverageMap();
  for (const [url, path] of urls) {
    const { code, sourceMap } = library.get(path);
    const ast = parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true, allowHashBang: true });
    map.merge(await convert({ ast, code, sourceMap, coverage: counted.get(url) ?? neverRun(url, code) }));
  }
  return map;
}
