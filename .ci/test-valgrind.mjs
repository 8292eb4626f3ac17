// The low-level suite under valgrind's memcheck, which also sees what is read before it was written, and what is handed
// to a system call so. The addon is that of build/Release, as it is.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAddons } from './findings.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// They do their work in processes of their own, which memcheck does not follow, or in threads, which it runs one by one.
const elsewhere = ['exec.test.ts', 'native.test.ts', 'worker-thread.test.ts'];
// It also has a process of its own, which is told to start under memcheck.
const failingCalls = 'failing-calls.test.ts';
const folderOfTests = join(root, 'test', 'native');
const files = readdirSync(folderOfTests)
  .filter((name) => name.endsWith('.test.ts') && ![...elsewhere, failingCalls].includes(name))
  .map((name) => join(folderOfTests, name));

if (!existsSync(join(root, 'build', 'Release', 'fd_handoff.node'))) {
  throw new Error('there is no addon in build/Release: npm run build:native');
}
const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-valgrind-'));

/** The beginning of the command that runs a program under memcheck, which writes to `log`. */
function memcheck(log) {
  return [
    'valgrind',
    ...['--leak-check=full', '--show-leak-kinds=definite,possible', '--errors-for-leak-kinds=definite,possible'],
    ...['--num-callers=12', `--suppressions=${join(root, '.ci', 'valgrind', 'node.supp')}`, `--log-file=${log}`],
    // Otherwise memcheck stops to look for more after 1000 different ones, which V8 alone may reach.
    '--error-limit=no',
  ];
}

function run([command, ...parameters], env = {}) {
  return spawnSync(command, parameters, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).status === 0;
}

const suiteLog = join(folder, 'suite');
const callsLog = join(folder, 'failing-calls');
const node = [process.execPath, '--import', 'tsx'];
const passed = [
  run([...memcheck(suiteLog), ...node, join(root, '.ci', 'valgrind', 'suite.mjs'), ...files]),
  run([...node, join(folderOfTests, failingCalls)], {
    FD_HANDOFF_FAILING_CALLS_UNDER: JSON.stringify(memcheck(callsLog)),
  }),
];

let failed = passed.includes(false);
for (const log of [suiteLog, callsLog]) {
  const text = readFileSync(log, 'utf8').replaceAll(/^==\d+== ?/gm, '');
  const errors = text.split(/\n{2,}/).filter((part) => /^ +(at|by) 0x/m.test(part));
  const found = errors.filter(isAddons);
  for (const finding of found) console.error(`${finding}\n`);
  const suppressed = /ERROR SUMMARY: .*suppressed: (.*)\)/.exec(text)?.[1];
  console.error(
    `valgrind, ${basename(log)}: ${found.length} findings in the addon, ${errors.length - found.length} of others, ` +
      `and ${suppressed} suppressed`,
  );
  if (suppressed === undefined) throw new Error('memcheck did not come to its end');
  failed ||= found.length > 0;
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = failed ? 1 : 0;
