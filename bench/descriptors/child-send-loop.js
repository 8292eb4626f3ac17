// loop.c's `two` with Node's own child.send(message, handle), which sends one at a time: child-send-loop.js BATCH MILLISECONDS
import { fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { timeAwaitedLoop } from './timed.js';

const batch = Number(process.argv[2]);
const milliseconds = Number(process.argv[3]);

if (process.argv[4] === 'receiver') {
  let received = [];
  process.on('message', (_message, socket) => {
    received.push(socket);
    if (received.length < batch) return;
    process.send('R');
    for (const each of received) each.destroy();
    received = [];
  });
  process.on('disconnect', () => process.exit());
} else {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect(server.address().port, '127.0.0.1');
  await once(server, 'connection');
  const child = fork(fileURLToPath(import.meta.url), [String(batch), '0', 'receiver']);
  let acknowledged;
  child.on('message', () => acknowledged());
  await timeAwaitedLoop(
    milliseconds,
    () =>
      new Promise((resolve) => {
        acknowledged = resolve;
        // Without keepOpen it would have to be another connection each time.
        for (let index = 0; index < batch; index++) child.send('F', socket, { keepOpen: true });
      }),
  );
  process.exit();
}
