// A rolling restart with node:cluster: on SIGHUP one worker after the other gets a successor, and is told to leave when
// that one listens.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const workers = 2;

cluster.setupPrimary({ exec: fileURLToPath(new URL('plain-server.js', import.meta.url)) });

async function startWorker() {
  const worker = cluster.fork();
  await once(worker, 'listening');
  return worker;
}

process.on('SIGHUP', async () => {
  for (const former of Object.values(cluster.workers)) {
    await startWorker();
    former.send('shutdown');
    await once(former, 'exit');
  }
  console.log('rolled');
});

for (let count = 0; count < workers; count++) await startWorker();
console.log('started');
