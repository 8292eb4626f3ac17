import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { isSupported, native } from '../../lib/fd/native.ts';
import { resultOf, root, runModule, temporaryFolder } from './support.ts';

test('the addon is loaded once', () => {
  assert.equal(isSupported(), true);
  assert.equal(native(), native());
});

test('worker threads load the addon, one after the other and side by side', async () => {
  const source = `
    const { parentPort } = require('node:worker_threads');
    const addon = require('node-gyp-build')(${JSON.stringify(root)});
    const bytes = Buffer.alloc(16), received = new Int32Array(254);
    for (let round = 0; round < 2000; round++) {
      const [a, b] = addon.socketPair();
      addon.sendMessage(a, Buffer.from('x'), Int32Array.of(a, b), 2);
      addon.receiveMessage(b, bytes, 16, received, 253);
      if (received[0] !== 2) throw new Error('lost');
      for (const fd of [a, b, received[1], received[2]]) if (addon.close(fd) !== 0) throw new Error('closed twice');
    }
    parentPort.postMessage('done');
  `;
  for (let round = 0; round < 2; round++) {
    await Promise.all(
      [1, 2, 3].map(async () => {
        const worker = new Worker(source, { eval: true });
        // Both are waited for from the start: the thread may end in the same turn in which its message arrives.
        const [[message], [exitCode]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
        assert.deepEqual([message, exitCode], ['done', 0]);
      }),
    );
  }
});

test('the addon survives the loading thread, and exit without clean-up', () => {
  const child = runModule(`
    const { Worker } = await import('node:worker_threads');
    const { once } = await import('node:events');
    await once(new Worker('require("node-gyp-build")(' + JSON.stringify(${JSON.stringify(root)}) + ').pipe()', { eval: true, execArgv: [] }), 'exit');
    console.log(JSON.stringify(fd.describe(1).fd));
    process.exit(0);
  `);
  assert.equal(resultOf(child), 1);
});

test('on another platform the import works and every call says why it cannot', () => {
  const child = runModule(
    `
    Object.defineProperty(process, 'platform', { value: 'win32' });
    const seen = [fd.isSupported()];
    for (const call of [() => fd.pipe(), () => fd.dup(1), () => fd.bindTcp('127.0.0.1', 0)]) {
      try { call(); } catch (error) { seen.push(error.name, error.code, error.message.includes('win32')); }
    }
    console.log(JSON.stringify(seen));
  `,
  );
  const failed = ['HandoffError', 'ERR_HANDOFF_UNSUPPORTED_PLATFORM', true];
  assert.deepEqual(resultOf(child), [false, ...failed, ...failed, ...failed]);
});

/** What a call says in a copy of the library whose only addons are the given files. */
function failureWith(t: TestContext, addons: Record<string, string>): { folder: string; error: Failure } {
  const folder = temporaryFolder(t);
  cpSync(join(root, 'lib', 'fd'), join(folder, 'lib', 'fd'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, content] of Object.entries(addons)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  const url = pathToFileURL(join(folder, 'lib', 'fd', 'index.ts')).href;
  const source = `
    const copy = await import(${JSON.stringify(url)});
    try { copy.pipe(); } catch ({ code, message, cause }) { console.log(JSON.stringify({ code, message, cause: cause?.code ?? cause?.name })); }
  `;
  // The suite itself may run with another addon than the package's own.
  return {
    folder,
    error: resultOf<Failure>(runModule(source, { env: { FD_HANDOFF_PREBUILD: '', PREBUILDS_ONLY: '' } })),
  };
}

interface Failure {
  code: string;
  message: string;
  cause: string;
}

test('where no addon is found, the error says what was looked for and what to do', (t) => {
  const { folder, error } = failureWith(t, {});
  assert.equal(error.code, 'ERR_HANDOFF_UNSUPPORTED_PLATFORM');
  assert.equal(error.cause, 'Error');
  for (const part of [process.platform, process.arch, process.version, 'npm run build:native', folder]) {
    assert.ok(error.message.includes(part), `"${part}" in: ${error.message}`);
  }
  if (process.platform === 'linux') assert.match(error.message, /glibc \d|musl, Node/);
});

test('where a variable names a folder without one, nothing else is loaded in its place', () => {
  const source = `try { fd.pipe(); } catch ({ code, message }) { console.log(JSON.stringify({ code, message })); }`;
  const { code, message } = resultOf<Failure>(runModule(source, { env: { FD_HANDOFF_PREBUILD: '/no/such/folder' } }));
  assert.equal(code, 'ERR_HANDOFF_UNSUPPORTED_PLATFORM');
  assert.match(message, /No native build was found/);
});

test('where an addon is found and does not load, the error has the reason of the system', (t) => {
  const { error } = failureWith(t, { 'build/Release/fd_handoff.node': 'no addon at all' });
  assert.equal(error.code, 'ERR_HANDOFF_UNSUPPORTED_PLATFORM');
  assert.equal(error.cause, 'ERR_DLOPEN_FAILED');
  assert.match(error.message, /fd_handoff\.node: .+\. Prebuilt ones are for/);
});
