// Answers within a minute whether what was changed is sound: formats and types of everything, the tests of the changed files and
// of those that import them, and a few whole handoffs. What it leaves to `npm test` it says.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Whole processes: by signal and by the control path, before and after commit, and a re-exec. */
const wholeHandoffs = ['test/e2e/takeover.test.ts', 'test/e2e/pause.test.ts'];

/** More than these need longer than a minute on two cores: then it is the twins of what was changed alone. */
const mostFiles = 30;

function git(...words) {
  return execFileSync('git', words, { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean);
}

/** What differs from the last commit; on a clean tree, what that has changed. */
function changedFiles() {
  const changed = [...git('diff', '--name-only', 'HEAD'), ...git('ls-files', '--others', '--exclude-standard')];
  const files = changed.length > 0 ? changed : git('diff', '--name-only', 'HEAD~1', 'HEAD');
  return [...new Set(files)].filter((file) => existsSync(join(root, file)));
}

function testFiles(folder) {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name));
}

function importsOf(file) {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/\bfrom '(\.[^']+)'/g)].map(([, path]) => normalize(join(dirname(file), path)));
}

function twinOf(file) {
  return file.startsWith('lib/') ? join('test', file.replace(/\.ts$/, '.test.ts')) : file;
}

function choose(changed) {
  const own = changed.map(twinOf).filter((file) => /^test\/(lib|package|docs)\/.*\.test\.ts$/.test(file));
  const there = own.filter((file) => existsSync(join(root, file)));
  const importing = testFiles('test/lib').filter((file) => importsOf(file).some((path) => changed.includes(path)));
  const all = [...new Set([...there, ...importing])];
  const left = all.length > mostFiles ? all.length - there.length : 0;
  return { files: left > 0 ? there : all, left };
}

/** Runs a command; resolves with whether it went well, and with what it said if not. */
function run(title, command, words) {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
    child.once('close', (code) => {
      console.log(
        `${code === 0 ? 'ok    ' : 'FAILED'} ${title} (${Math.round((performance.now() - started) / 100) / 10} s)`,
      );
      if (code !== 0) console.log(said);
      resolve(code === 0);
    });
  });
}

const bin = (name) => join(root, 'node_modules', '.bin', name);
const changed = changedFiles();
const { files, left } = choose(changed);
const native = changed.some((file) => file.startsWith('native/') || file === 'binding.gyp');
console.log(`changed: ${changed.length} file(s)${changed.length < 8 ? `: ${changed.join(', ')}` : ''}`);

const results = await Promise.all([
  run('format, lint', bin('biome'), ['check', '--error-on-warnings', '.']),
  run('types', bin('tsc'), ['--noEmit']),
]);
const vitest = ['run', '--typecheck.enabled=false', '--maxWorkers=4', '--reporter=dot'];
const tests = [...new Set(['test/lib/layers.test.ts', ...files, ...wholeHandoffs])];
results.push(await run(`${tests.length} test files`, bin('vitest'), [...vitest, ...tests]));
if (left > 0) console.log(`left to npm test: ${left} test files that import what was changed`);
if (native) console.log('left to npm test: the addon, whose sources were changed');
console.log(
  `left to npm test: test/e2e but for ${wholeHandoffs.map((file) => relative('test/e2e', file)).join(' and ')}`,
);
process.exitCode = results.every(Boolean) ? 0 : 1;
