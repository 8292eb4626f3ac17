// The low-level suite with the addon under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer (GCC's, which
// Debian's g++ brings along). Node itself is not compiled for them: their run-time library is loaded before it, so that
// all memory comes from there, and every access that is checked is the addon's.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildVariant, root, variantEnvironment } from './addon-variant.mjs';
import { isAddons } from './findings.mjs';

const sanitizers = '-fsanitize=address,undefined';
const folder = buildVariant('asan', {
  // Without the frame pointer the stacks of leaks end in the addon's first frame.
  flags: `${sanitizers} -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1`,
  linkFlags: sanitizers,
  env: { CC: 'gcc', CXX: 'g++' },
  isVariant: (addon) => addon.includes('__asan_report') && addon.includes('__ubsan_handle'),
});

function library(name) {
  return execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
}

/**
 * What of a report has to be looked at; nothing of one that is only about leaks of others. LeakSanitizer's own
 * suppressions cannot tell, because they match any frame.
 */
function findings(report) {
  if (!report.includes('LeakSanitizer: detected memory leaks')) return report.trim() === '' ? [] : [report];
  return report.split(/\n{2,}/).filter((part) => /^(Direct|Indirect) leak/m.test(part) && isAddons(part));
}

const reports = mkdtempSync(join(tmpdir(), 'fd-handoff-asan-'));
const logPath = `log_path=${join(reports, 'report')}`;
const { status } = spawnSync('npm', ['run', '--silent', 'test:native'], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...variantEnvironment(folder),
    LD_PRELOAD: `${library('libasan.so')}:${library('libubsan.so')}`,
    // An error ends a process by a signal, because the leaks of others must not change its exit status.
    ASAN_OPTIONS: `${logPath}:detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=1`,
    UBSAN_OPTIONS: `${logPath}:print_stacktrace=1:abort_on_error=1`,
    LSAN_OPTIONS: 'exitcode=0',
  },
});
// Many tests start processes, and one that a sanitizer ended may be what a test takes for the failure that it expects:
// what was written counts, beside what the suite says.
const found = readdirSync(reports).flatMap((name) => findings(readFileSync(join(reports, name), 'utf8')));
for (const finding of found) console.error(finding);
console.error(`asan: ${readdirSync(reports).length} reports, ${found.length} findings in the addon`);
rmSync(reports, { recursive: true, force: true });
process.exitCode = status === 0 && found.length === 0 ? 0 : 1;
