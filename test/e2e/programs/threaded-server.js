// A server that rehearses at every SIGHUP, and some of whose worker threads call handoff(), as they should not there.
import { once } from 'node:events';
import http from 'node:http';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { handoff } from 'fd-handoff';

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

async function codeInThread() {
  const [code] = await once(new Worker(new URL(import.meta.url)), 'message');
  return code;
}

if (!isMainThread) {
  await handoff({ signals: false }).catch(({ code }) => parentPort.postMessage(code));
} else {
  const codes = process.env.FD_HANDOFF_PREFLIGHT === undefined ? [] : [await codeInThread()];
  const app = await handoff({ signals: { SIGHUP: (self) => self.upgrade({ preflight: true }) } });
  // This one has a copy of an environment that does not say it any more.
  if (app.rehearsal) tell('rehearsed', { codes: [...codes, await codeInThread()] });
  const { port } = await app.listen(http.createServer(), { port: 0 });
  await app.ready();
  tell('ready', { generation: app.generation, addresses: [{ port }] });
}
