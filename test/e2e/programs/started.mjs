// A server as programs are: it changes what it was started with before it loads the library, and tells what it finds. Copied
// into release folders by tests.
import { readFileSync } from 'node:fs';
import http from 'node:http';

const [, , command, ...words] = process.argv;
const started = { command, words, options: process.execArgv, cwd: process.cwd(), pwd: process.env.PWD };
const seen = { setting: process.env.SETTING, mode: process.env.MODE, own: process.env.CHANGED ?? null };

// A sub-command is spliced away, a value of a file is kept over the next one, and a daemon leaves its folder.
process.argv.splice(2, 1);
process.env.CHANGED = 'by the program';
process.env.MODE = 'by the program';
if (process.env.LEAVES !== undefined) process.chdir('/');
if (process.env.TITLE !== undefined) process.title = process.env.TITLE;

const { handoff } = await import('fd-handoff');
const version = readFileSync(new URL('version', import.meta.url), 'utf8').trim();
const server = http.createServer((_request, response) => response.setHeader('x-served-by', process.pid).end(version));
const app = await handoff({
  control: process.env.CONTROL,
  ...(process.env.SIGHUP === undefined ? {} : { signals: { SIGHUP: process.env.SIGHUP } }),
});
app.on('rollback', ({ error }) => tell('rollback', { code: error.code, message: error.message }));
const { port } = await app.listen(server, { name: 'web', port: 0, host: '127.0.0.1' });
await app.ready();
tell('ready', {
  generation: app.generation,
  version,
  node: process.version,
  execPath: process.execPath,
  ...started,
  ...seen,
  port,
});

function tell(event, details) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}
