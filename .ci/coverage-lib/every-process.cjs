// What a run for coverage has in every process, by NODE_OPTIONS.
const { register } = require('node:module');
const { takeCoverage } = require('node:v8');
const { pathToFileURL } = require('node:url');
const { isMainThread } = require('node:worker_threads');

function isSomewhere() {
  try {
    return process.cwd() !== '';
  } catch {
    return false;
  }
}

// Where tsx runs lib/ as it is written, what is compiled runs in its place. Nowhere else: hooks cost a thread, and that
// never starts in a folder that is gone.
if (isSomewhere() && process.execArgv.some((argument) => argument.includes('tsx'))) {
  register('./compiled-in-place.mjs', pathToFileURL(__filename));
}

// V8's counts are written when a process ends, and one that becomes another program by the addon does not end.
const { dlopen } = process;
process.dlopen = function dlopenAndWatch(module, ...rest) {
  dlopen.call(this, module, ...rest);
  const { exec } = module.exports;
  if (typeof exec !== 'function') return;
  module.exports.exec = (...given) => {
    takeCoverage();
    return exec(...given);
  };
};

// Tests end what they have started by SIGKILL, after which nothing is written: test/support/program.ts asks by this signal
// first, which nobody uses for anything.
if (isMainThread) {
  process.on('SIGXCPU', () => {
    takeCoverage();
    process.kill(process.pid, 'SIGKILL');
  });
}
