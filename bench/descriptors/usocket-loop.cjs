// loop.c's `two` with usocket: usocket-loop.cjs BATCH MILLISECONDS <path of usocket>
const { spawn } = require('node:child_process');
const { closeSync, openSync, unlinkSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const batch = Number(process.argv[2]);
const milliseconds = Number(process.argv[3]);
const usocket = process.argv[4];
const { USocket, UServer } = require(usocket);

/** Its room for what is received: of a larger message it loses the rest without a word. */
const most = 64;
const messages = Math.ceil(batch / most);

if (process.argv[5] !== undefined) receive(new USocket({ path: process.argv[5] }));
else send();

function receive(socket) {
  const acknowledgement = Buffer.from('R');
  socket.on('connected', () => {
    socket.on('readable', () => {
      for (let message = socket.read(messages, batch); message?.data; message = socket.read(messages, batch)) {
        socket.write(acknowledgement);
        for (const fd of message.fds) closeSync(fd);
      }
    });
  });
  socket.on('end', () => process.exit());
  socket.on('error', () => process.exit());
}

async function send() {
  const { timeAwaitedLoop } = await import('./timed.js');
  const path = join(tmpdir(), `fd-handoff-bench-usocket-${process.pid}`);
  const server = new UServer();
  server.listen(path);
  const socket = await new Promise((resolve) => {
    server.on('connection', resolve);
    server.on('listening', () =>
      spawn(process.execPath, [__filename, process.argv[2], '0', usocket, path], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
  });
  unlinkSync(path);
  let acknowledged;
  socket.on('data', () => acknowledged());
  const fds = new Array(batch).fill(openSync('/dev/null'));
  const data = Buffer.from('F');
  await timeAwaitedLoop(
    milliseconds,
    () =>
      new Promise((resolve) => {
        acknowledged = resolve;
        for (let start = 0; start < batch; start += most) socket.write({ data, fds: fds.slice(start, start + most) });
      }),
  );
  process.exit();
}
