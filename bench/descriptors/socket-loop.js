// A byte there and a byte back between two processes that have nothing but a `net.Socket` each, and send no descriptor:
// what two event loops of Node cost whoever uses them. socket-loop.js MILLISECONDS
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { close, socketPair } from 'fd-handoff/fd';
import { timeAwaitedLoop } from './timed.js';

const milliseconds = Number(process.argv[2]);
const byte = Buffer.from('F');

if (process.argv[3] === 'receiver') {
  const socket = new Socket({ fd: 3 });
  socket.on('data', () => socket.write(byte));
  await once(socket, 'end');
  process.exit();
}

const [ours, theirs] = socketPair();
spawn(process.execPath, [fileURLToPath(import.meta.url), '0', 'receiver'], {
  stdio: ['ignore', 'ignore', 'inherit', theirs],
});
close(theirs);
const socket = new Socket({ fd: ours });
let acknowledged;
socket.on('data', () => acknowledged());
await timeAwaitedLoop(
  milliseconds,
  () =>
    new Promise((resolve) => {
      acknowledged = resolve;
      socket.write(byte);
    }),
);
process.exit();
