// A line protocol on plain `net` connections, which the application moves by itself. Both sides number their lines: a
// client sends `<n> <text>`, the server answers `<seq> answer <n> <text> <pid>`, and says `<seq> tick <pid>` now and then.
// A line that is not the next one is told. What it does comes from the environment; what happens is told on standard
// output, a JSON object a line.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { handoff } from 'fd-handoff';

const { ADOPT = 'serve', CONTROL, ENCODING, LISTENER = '{"port":0}', SIGNALS = '"default"' } = process.env;
const { TICK = '0', TIMEOUT, TLS } = process.env;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

class Connection {
  static all = new Set();
  static last = 0;

  constructor(socket, { id, received, sent } = { id: ++Connection.last, received: 0, sent: 0 }) {
    this.socket = socket;
    this.id = id;
    this.received = received;
    this.sent = sent;
    /** What came of a line that is not whole yet: bytes, or text where Node decodes. */
    this.pending = ENCODING === undefined ? Buffer.alloc(0) : '';
    this.leaving = false;
    Connection.all.add(this);
    if (ENCODING !== undefined) socket.setEncoding(ENCODING);
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', (error) => tell('broken', { id: this.id, code: error.code }));
    socket.on('close', () => Connection.all.delete(this));
  }

  take(chunk) {
    this.pending = typeof chunk === 'string' ? this.pending + chunk : Buffer.concat([this.pending, chunk]);
    for (let end = this.pending.indexOf('\n'); end >= 0; end = this.pending.indexOf('\n')) {
      const line = this.pending.slice(0, end).toString();
      this.pending = this.pending.slice(end + 1);
      this.answer(line);
    }
  }

  answer(line) {
    const [first, ...rest] = line.split(' ');
    const command = commands[first];
    if (command !== undefined) {
      command(this, ...rest);
      return;
    }
    if (this.leaving) tell('wrong', { id: this.id, line, why: 'it was being moved' });
    if (Number(first) !== this.received + 1) tell('wrong', { id: this.id, line, why: `${this.received} came before` });
    this.received = Number(first);
    this.say(`answer ${line}`);
  }

  say(text) {
    this.sent++;
    this.socket.write(`${this.sent} ${text} ${process.pid}\n`);
  }

  async move() {
    this.leaving = true;
    const { id, received, sent } = this;
    const options = { data: { id, received, sent }, head: Buffer.from(this.pending) };
    if (TIMEOUT !== undefined) options.timeout = Number(TIMEOUT);
    const moved = await app.move('lines', this.socket, options);
    this.leaving = false;
    return moved;
  }
}

const commands = {
  pause(connection) {
    connection.socket.pause();
    connection.say('paused');
  },
  flood(connection, count) {
    for (let line = 0; line < Number(count); line++) connection.say(`flood ${'.'.repeat(1000)}`);
    tell('flooded', { pending: connection.socket.writableLength });
  },
  async destroy(connection) {
    app.once('commit', async () => {
      connection.socket.destroy();
      tell('result', { moved: await connection.move() });
    });
    connection.say('ready');
  },
  async move(connection) {
    const result = await connection.move().then(
      (moved) => ({ moved }),
      ({ code }) => ({ code }),
    );
    tell('result', result);
    connection.say('result');
  },
};

const app = await handoff({ control: CONTROL, signals: JSON.parse(SIGNALS) });
app.on('error', ({ message }) => tell('error', { message }));
for (const name of ['give-back', 'drain']) app.on(name, (details) => tell(name, details));

const server =
  TLS === undefined
    ? net.createServer((socket) => new Connection(socket))
    : tls.createServer({ key: readFileSync(TLS), cert: readFileSync(TLS) }, (socket) => new Connection(socket));
const { port, path } = await app.listen(server, JSON.parse(LISTENER));

async function moveAll() {
  const all = [...Connection.all];
  tell('moving', { count: all.length });
  const results = await Promise.allSettled(all.map((connection) => connection.move()));
  tell('moves', {
    moved: results.filter(({ value }) => value === true).length,
    stayed: results.filter(({ value }) => value === false).length,
    failed: results.flatMap(({ reason }) => (reason === undefined ? [] : [reason.code ?? reason.message])),
  });
}
app.on('commit', moveAll);

if (ADOPT !== 'none') {
  app.connections('lines', (socket, data) => {
    if (ADOPT === 'die') process.kill(process.pid, 'SIGKILL');
    if (ADOPT === 'throw' || (ADOPT === 'throw-odd' && data.id % 2 === 1)) throw new Error('the adopter threw');
    if (ADOPT === 'reject') return Promise.reject(new Error('the adopter rejected'));
    const connection = new Connection(socket, data);
    // The predecessor moves while this process is handing over already.
    if (app.draining.aborted) connection.move();
  });
}

if (TICK !== '0') {
  setInterval(() => {
    for (const connection of Connection.all) if (!connection.leaving) connection.say('tick');
  }, Number(TICK)).unref();
}

await app.ready();
tell('ready', { generation: app.generation, port, path });
