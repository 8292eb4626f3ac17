// A program with a connection of its own protocol to somebody else: a line for each number, and the number of the last one
// is asked for before the next. So whoever holds the connection can go on with it, after a crash too.
import net from 'node:net';
import { handoff } from 'fd-handoff';
import { connectUnix, dup } from 'fd-handoff/fd';

const tell = (event, details = {}) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));

const app = await handoff({ systemd: { store: 'all' } });
const fd = await app.descriptor('upstream', () => {
  tell('connecting');
  return connectUnix(process.env.UPSTREAM);
});
await app.ready();

// A copy, because the descriptor stays the app's.
const socket = new net.Socket({ fd: dup(fd) });
socket.on('data', (data) => tell('answer', { last: Number(data) }));
process.on('SIGUSR1', () => socket.write('next\n'));
socket.write('last?\n');
tell('serving', { generation: app.generation });
