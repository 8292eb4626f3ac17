// How much of lib/ the tests run, lines and branches: V8 counts in every process that they start. Arguments are vitest's, and
// only its tests run then.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import libReport from 'istanbul-lib-report';
import reports from 'istanbul-reports';
import { compileLibrary, installCompiled, root } from './coverage-lib/compiled.mjs';
import { coverageOf } from './coverage-lib/counts.mjs';

/** What of the lines, and what of the branches, has to run, in per cent. */
const goal = 95;
const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-coverage-'));
// Some tests start processes of another user.
chmodSync(folder, 0o1777);

function run(command, parameters, env = {}) {
  const { status } = spawnSync(command, parameters, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  return status === 0;
}

const counting = {
  NODE_V8_COVERAGE: folder,
  NODE_OPTIONS: `--require "${join(root, '.ci', 'coverage-lib', 'every-process.cjs')}"`,
};

function runTests(given) {
  // The package itself is not there meanwhile, and its tests look at that.
  const options = ['--config', '.ci/coverage-lib/vitest.config.mjs', '--exclude', 'test/package/**'];
  const native = given.length > 0 || run('npm', ['run', '--silent', 'test:native'], counting);
  return run('npx', ['--no-install', 'vitest', 'run', ...options, ...given], counting) && native;
}

function print(map) {
  const context = libReport.createContext({ dir: join(root, 'coverage', 'lib'), coverageMap: map });
  for (const kind of ['html', 'json']) reports.create(kind).execute(context);
  reports.create('text', { skipFull: true, maxCols: 120 }).execute(context);
}

const library = compileLibrary();
let passed = false;
try {
  installCompiled(library);
  passed = runTests(process.argv.slice(2));
  const map = await coverageOf(library, folder);
  print(map);
  const { lines, branches } = map.getCoverageSummary();
  console.log(`lib/: ${lines.pct} % of the lines, ${branches.pct} % of the branches; ${goal} % is the goal`);
  process.exitCode = passed && lines.pct >= goal && branches.pct >= goal ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
  run('npm', ['run', '--silent', 'build:lib']);
}
