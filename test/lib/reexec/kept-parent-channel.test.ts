import { type ForkOptions, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptParentChannel } from '../../../lib/reexec/kept-parent-channel.ts';
import { libraryFile, outcome, typescriptOptions } from '../../support/child-script.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** Forks a script that does `order` with the channel when it is told to. */
async function forked(order: string, options: ForkOptions = {}) {
  const file = folder.file('script.mjs');
  writeFileSync(
    file,
    `import { KeptParentChannel } from ${libraryFile('reexec/kept-parent-channel.ts')};
    process.once('message', async () => { ${order} });
    process.send('up');`,
  );
  const child = fork(file, {
    execArgv: typescriptOptions.slice(0, 2),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    ...options,
  });
  await once(child, 'message');
  return child;
}

describe('the channel to who has forked this process', () => {
  it.each(['json', 'advanced'] as const)('is found at rest, and can go on (%s)', async (serialization) => {
    const order = `
      const kept = await KeptParentChannel.bringToRest();
      process.once('message', (words) => { process.send({ words, fd: kept.fd, variables: kept.variables }); setImmediate(() => process.disconnect()); });
      kept.resume();
    `;
    const child = await forked(order, { serialization });
    child.send('go');
    child.send('more');
    const [told] = await once(child, 'message');
    const variables = { NODE_CHANNEL_FD: String(told.fd), NODE_CHANNEL_SERIALIZATION_MODE: serialization };
    expect(told).toEqual({ words: 'more', fd: expect.any(Number), variables });
    await once(child, 'exit');
  });

  it('is waited for while a message has come in part, and given up where the rest does not come', async () => {
    const file = folder.file('script.mjs');
    writeFileSync(
      file,
      `import { KeptParentChannel } from ${libraryFile('reexec/kept-parent-channel.ts')};
      import { parentChannel } from ${libraryFile('servers/internals/parent-channel.ts')};
      const heard = [];
      process.on('message', (words) => heard.push(words));
      while (parentChannel().isQuiet()) await new Promise(setImmediate);
      console.error('half of it is here');
      const kept = await KeptParentChannel.bringToRest();
      console.log(JSON.stringify({ kept: kept !== null, heard }));
      process.exit();`,
    );
    for (const [rest, expected] of [
      ['whole"\n', { kept: true, heard: ['half a whole'] }],
      ['', { kept: false, heard: [] }],
    ] as const) {
      const child = spawn(process.execPath, [...typescriptOptions.slice(0, 2), file], {
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
        env: { ...process.env, NODE_CHANNEL_FD: '3' },
      });
      const pipe = child.stdio[3] as net.Socket;
      pipe.on('error', () => {});
      pipe.write('"half a ');
      // While it is waited for: well within its limit.
      if (rest !== '') child.stderr?.once('data', () => pipe.write(rest));
      const { stdout } = await outcome(child);
      expect(JSON.parse(stdout)).toEqual(expected);
    }
  });

  it('is none where there is none', async () => {
    if (process.send === undefined) expect(await KeptParentChannel.bringToRest()).toBeNull();
    const child = await forked(
      'process.disconnect(); process.exit((await KeptParentChannel.bringToRest()) === null ? 3 : 4);',
    );
    child.send('go');
    expect(await once(child, 'exit')).toEqual([3, null]);
  });
});
