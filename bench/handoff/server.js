// A server that tells when what of a handoff happened, in milliseconds on the clock that all processes share.
//
//   LISTENERS   how many it has (1)
//   STATE       how much state it hands on, in bytes (0)
//   PORT        of the first listener (0: one that is free)
import { subscribe } from 'node:diagnostics_channel';
import http from 'node:http';

const now = () => Number(process.hrtime.bigint()) / 1e6;
const moments = { loading: now() };
const note = (moment) => {
  moments[moment] ??= now();
};

const { handoff } = await import('fd-handoff');
note('loaded');

subscribe('fd-handoff:frame', ({ moment, name }) => note(`${moment} ${name}`));

const listeners = Number(process.env.LISTENERS ?? 1);
const port = Number(process.env.PORT ?? 0);
const app = await handoff({ control: process.env.CONTROL, signals: { SIGHUP: 'upgrade', SIGTERM: 'shutdown' } });
note('offered');
let state = Buffer.alloc(Number(process.env.STATE ?? 0), 1);
if (state.length > 0) {
  await app.state('load', {
    save: () => state,
    restore: (value) => {
      state = value;
    },
  });
}
for (let index = 0; index < listeners; index++) {
  const server = http.createServer((_request, response) => response.end('hello\n'));
  await app.listen(server, { name: `listener ${index}`, port: index === 0 ? port : 0, host: '127.0.0.1' });
}
note('bound');

const tell = (event) => {
  console.log(JSON.stringify({ event, pid: process.pid, memory: process.memoryUsage().rss, ...moments }));
};
// First of all at a signal, before the library hears of it.
process.prependListener('SIGHUP', () => note('signal'));
app.on('commit', () => {
  note('commit');
  tell('commit');
});
app.onClose(() => {
  note('gone');
  tell('gone');
});

await app.ready();
note('ready');
tell('ready');
