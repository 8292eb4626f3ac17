// The prebuilt addons: `npm run prebuild` makes them, `-- --verify` makes them again elsewhere and compares, and
// `-- --inspect` only looks at those that are there. docs/building.md has the reasons.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { addonDefinition, compile } from './prebuild/compile.mjs';
import { inspect } from './prebuild/inspect.mjs';
import { targets } from './prebuild/targets.mjs';
import { fetchZig } from './prebuild/zig.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'zig');
const definition = addonDefinition(root);
const wanted = targets(definition.oldestMacOS);
const sumsName = 'SHA256SUMS';

const { values } = parseArgs({
  options: {
    verify: { type: 'boolean', default: false },
    inspect: { type: 'boolean', default: false },
    folder: { type: 'string', default: join(root, 'prebuilds') },
  },
});
const folder = resolve(values.folder);

/** `compiled`: where Zig keeps what it compiled of the sources; an old one would be handed out again. */
async function build(into, compiled) {
  const zig = fetchZig(cache);
  for (const target of wanted) {
    const started = performance.now();
    await compile({ root, zig, runtime: join(cache, 'global'), compiled, target, output: join(into, target.file) });
    console.error(`prebuild: ${target.file} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  }
}

function sha256(path) {
  return existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'missing';
}

/** In the form of sha256sum(1): `cd prebuilds && sha256sum -c SHA256SUMS` checks them without this script. */
function sumsOf(path) {
  return wanted.map(({ file }) => `${sha256(join(path, file))}  ${file}\n`).join('');
}

/** Prints what each addon is, and says whether all are as they have to be. */
function inspectAll() {
  const secrets = [root, homedir(), tmpdir(), 'node_modules'].filter((path) => path.length > 1);
  const table = new Table({ head: ['addon', 'bytes', 'what it is'], style: { head: [], border: [] } });
  let good = true;
  for (const target of wanted) {
    const path = join(folder, target.file);
    if (!existsSync(path)) {
      table.push([target.file, '', 'MISSING']);
      good = false;
      continue;
    }
    const { facts, problems } = inspect(path, target, { ...definition, secrets });
    good &&= problems.length === 0;
    table.push([
      target.file,
      readFileSync(path).length,
      problems
        .map((problem) => `WRONG: ${problem}`)
        .concat(facts)
        .join('\n'),
    ]);
  }
  console.log(table.toString());
  return good;
}

/** The files of `path` that nobody builds; node-gyp-build might choose one. */
function strangers(path) {
  const known = new Set([sumsName, ...wanted.map(({ file }) => file)]);
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));
  return files.filter((file) => !known.has(file));
}

/** Compares what is in the folder with its checksums and with a build from scratch. */
function compare(rebuilt) {
  const sumsPath = join(folder, sumsName);
  const sums = existsSync(sumsPath) ? readFileSync(sumsPath, 'utf8') : '';
  const table = new Table({ head: ['addon', 'in the folder', sumsName, 'rebuilt'], style: { head: [], border: [] } });
  for (const { file } of wanted) {
    const listed = /^\w+/.exec(sums.split('\n').find((line) => line.endsWith(`  ${file}`)) ?? '')?.[0] ?? 'missing';
    const hashes = [sha256(join(folder, file)), listed, sha256(join(rebuilt, file))];
    if (new Set(hashes).size > 1) table.push([file, ...hashes.map((hash) => hash.slice(0, 16))]);
  }
  for (const file of strangers(folder)) table.push([file, 'unknown', '', '']);
  if (table.length === 0 && sums === sumsOf(folder)) return true;
  console.log(
    `These differ:\n${table}\nIf the sources were meant to change, run "npm run prebuild" and commit prebuilds/.`,
  );
  return false;
}

if (values.inspect) {
  process.exitCode = inspectAll() ? 0 : 1;
} else if (values.verify) {
  const rebuilt = mkdtempSync(join(tmpdir(), 'fd-handoff-prebuild-'));
  try {
    await build(rebuilt, join(rebuilt, '.zig'));
    const good = [inspectAll(), compare(rebuilt)].every(Boolean);
    if (good) console.log('All six are what the sources give, byte for byte.');
    process.exitCode = good ? 0 : 1;
  } finally {
    rmSync(rebuilt, { recursive: true, force: true });
  }
} else {
  await build(folder, join(cache, 'local'));
  writeFileSync(join(folder, sumsName), sumsOf(folder));
  process.exitCode = inspectAll() ? 0 : 1;
}
