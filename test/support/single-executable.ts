import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { peerFile } from './peer-packages.ts';

/** What Node looks for in itself to know that there is a program in it: postject turns the digit after it. */
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** A server that is started by one file. It finds the library in the folder where that is: an addon is no part of it. */
const program = `
const { createRequire } = require('node:module');
const http = require('node:http');
const { handoff } = createRequire(process.execPath)('fd-handoff');
const argv = process.argv.slice(2);
process.argv.length = 0;
(async () => {
  const app = await handoff({ control: process.env.CONTROL, signals: { SIGHUP: 'upgrade', SIGUSR1: 'reexec', SIGTERM: 'shutdown' } });
  await app.listen(http.createServer((_, response) => response.end('served')), { port: 0, host: '127.0.0.1' });
  await app.ready();
  console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation, argv }));
})();
`;

/** Makes a single executable application of the server, with the Node that runs the tests; returns its path. */
export function singleExecutable(context: TestContext, folder: string): string {
  const postject = peerFile(context, 'postject/dist/cli.js');
  const [main, output, file] = ['server.cjs', 'server.blob', 'server'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(main, program);
  const config = join(folder, 'sea-config.json');
  writeFileSync(config, JSON.stringify({ main, output, disableExperimentalSEAWarning: true }));
  execFileSync(process.execPath, ['--experimental-sea-config', config], { stdio: 'ignore' });
  copyFileSync(process.execPath, file);
  chmodSync(file, 0o755);
  execFileSync(process.execPath, [postject, file, 'NODE_SEA_BLOB', output, '--sentinel-fuse', fuse], {
    stdio: 'ignore',
  });
  return file;
}
