import type { Trial } from '../support/documented-program.ts';

/** What happens to a block of code that does not speak for itself. */
export type Treatment =
  /**
   * A program, or a part of one: `before` and `after` are what a reader knows to be around it. With `alternatives` each
   * of its lines is one way of several, and is tried in a program of its own.
   */
  | ({
      readonly is: 'program';
      readonly before?: string;
      readonly after?: string;
      readonly alternatives?: boolean;
    } & Trial)
  /** Throws the error of the code that is its heading. */
  | { readonly is: 'failure' }
  /** A service under a service manager, with these sockets. */
  | {
      readonly is: 'service';
      readonly before?: string;
      readonly after?: string;
      readonly sockets?: readonly string[];
      readonly speaks?: 'http' | 'nothing';
      /** False for one that has no successors. */
      readonly reloads?: false;
      /** A program that runs meanwhile, and tells when it listens. */
      readonly beside?: string;
    }
  /** A shell script that is a successor. */
  | { readonly is: 'successor' }
  /** Lines that another test runs, or that a machine without their tools cannot run. */
  | { readonly is: 'left'; readonly because: string };

const http = `
import http from 'node:http';
import { handoff } from 'fd-handoff';
`;

/** A process that serves, in the middle of which the block stands. */
const serving = `${http}
const server = http.createServer((request, response) => response.end('served'));
const app = await handoff({ control: './app.sock' });
await app.listen(server, { port: 8080 });
`;

const ready = 'await app.ready();\n';

const listening = {
  is: 'program',
  before: `
import dgram from 'node:dgram';
import fs from 'node:fs';
import http from 'node:http';
import { handoff } from 'fd-handoff';
const answer = (request, response) => response.end('served');
const server = http.createServer(answer);
const admin = http.createServer(answer);
const local = http.createServer(answer);
const udpSocket = dgram.createSocket('udp4');
let counters = { visits: 0 };
const app = await handoff({ control: './app.sock' });
`,
  after: ready,
} as const;

/** What is said to a program that is not on the machine, or must not be started there. */
function needsA(what: string): Treatment {
  return { is: 'left', because: `needs ${what}` };
}

const built = {
  is: 'left',
  because: 'compiles for minutes: .ci/run runs it; that the scripts exist is checked',
} as const;

const failure = { is: 'failure' } as const;

/** What is to be done with the block of that key, where it says nothing by itself. */
export function treatmentOf(key: string): Treatment | undefined {
  return key.startsWith('docs/troubleshooting.md#err_') ? failure : treatments[key];
}

const otherProgram = { is: 'left', because: 'test/e2e/other-programs runs it, with ports of its own' } as const;

/** By the page and the heading under which the block stands. All others are whole by themselves. */
export const treatments: Readonly<Record<string, Treatment>> = {
  'README.md#what-goes-over': listening,
  'docs/listeners.md#listeners-every-option-what-survives-and-what-a-new-version-changes': listening,
  'docs/logs.md#standard-output-as-the-log': {
    is: 'left',
    because: 'what it says cannot be heard then: test/e2e/log-rotation.test.ts has it',
  },
  'docs/docker.md#docker-the-same-pid:3': needsA('a Docker daemon'),
  'docs/kubernetes.md#inside-a-pod': needsA('a cluster of Kubernetes'),
  'docs/kubernetes.md#connections-that-live-long': {
    is: 'program',
    before: `${serving}const clients = new Set();\n`,
    after: ready,
  },
  'docs/pm2.md#pm2-and-how-to-leave-it:2': needsA(
    'PM2, 90 packages with a daemon; the page says what it was tried with',
  ),
  'docs/tls.md#tls-and-http2:2': { is: 'program', speaks: 'https' },
  'docs/tls.md#http2': { is: 'program', speaks: 'https' },
  'docs/tls.md#new-certificates': {
    is: 'left',
    because: 'the file is of the next sentence; test/e2e/pid-file.test.ts has it',
  },
  'README.md#why': { is: 'left', because: '.ci/run runs the demo and the tests' },
  'docs/protocol.md#a-program-that-does-not-speak-the-protocol': { is: 'successor' },
  'docs/systemd.md#systemd': { is: 'service' },
  'docs/systemd.md#sockets-that-systemd-passes': {
    is: 'service',
    sockets: ['web'],
    before: `
import fs from 'node:fs';
import http from 'node:http';
import { handoff } from 'fd-handoff';
const server = http.createServer((request, response) => response.end('web'));
const admin = http.createServer((request, response) => response.end('admin'));
const open = () => fs.openSync('/dev/null');
const app = await handoff();
`,
    after: ready,
  },
  'docs/systemd.md#a-crash-refuses-nobody-the-descriptor-store': {
    is: 'service',
    speaks: 'nothing',
    beside: `
import net from 'node:net';
const server = net.createServer((socket) => socket.resume());
server.listen('/run/upstream.sock', () => console.log('{"event":"listening"}'));
`,
  },
  'docs/systemd.md#without-handoff': { is: 'service', sockets: ['web'], speaks: 'nothing', reloads: false },
  'docs/connections.md#with-findhit-proxywrap': {
    is: 'program',
    before: `${http}
const server = http.createServer((request, response) => response.end(request.socket.remoteAddress));
const app = await handoff({ control: './app.sock' });
`,
    after: ready,
  },
  'docs/websockets.md#moving-what-the-library-cannot-judge-websockets-and-raw-protocols': {
    is: 'program',
    speaks: 'lines',
  },
  'docs/datagrams.md#datagrams-udp-and-unix-sockets': { is: 'program', speaks: 'nothing' },
  'docs/datagrams.md#what-bind-does': {
    is: 'program',
    speaks: 'nothing',
    before: `
import dgram from 'node:dgram';
import { handoff } from 'fd-handoff';
const app = await handoff({ control: './app.sock' });
const socket = dgram.createSocket('udp4');
await app.bind(socket, { name: 'questions', port: 8125 });
const answer = async (message, { address, port }) => socket.send(message, port, address);
`,
    after: ready,
  },
  'docs/lifecycle.md#when-the-process-leaves': {
    is: 'program',
    before: `${serving}const webSocketServer = { clients: [] };\nconst eventStreams = [];\nconst consumer = { stop() {} };\n`,
    after: ready,
  },
  'docs/websockets.md#those-that-stay': {
    is: 'program',
    before: `import { setTimeout } from 'node:timers/promises';\n${serving}const webSocketServer = { clients: [] };\n`,
    after: ready,
  },
  'docs/websockets.md#socketio': {
    is: 'program',
    before: `${serving}const io = { engine: { close() {} } };\n`,
    after: ready,
  },
  'docs/lifecycle.md#hooks': {
    is: 'program',
    before: `${http} const database = { async end() {} };\n`,
    after: `
await app.listen(http.createServer((request, response) => response.end('served')), { port: 8080 });
await app.ready();
`,
  },
  'docs/lifecycle.md#the-next-versions-start': {
    is: 'program',
    before: "import { writeFileSync } from 'node:fs';\nwriteFileSync('.env', 'RELEASE=2');\n",
    after: `${serving.replace('handoff({', 'handoff({ hooks,')}
if (app.generation === 1 && process.env.RELEASE !== '2') throw new Error('the file was not read');
${ready}`,
  },
  'docs/lifecycle.md#background-jobs': { is: 'program', before: `${serving} function poll() {}\n` },
  'docs/lifecycle.md#preflight': {
    is: 'program',
    replacedBy: 'SIGUSR2',
    alternatives: true,
    before: `${serving.replace('handoff({', "handoff({ signals: { SIGUSR2: replace, SIGTERM: 'shutdown' },")}
async function checkMigrations({ signal }) { signal.throwIfAborted(); }
async function replace() {
`,
    after: `}\n${ready}`,
  },
  'docs/lifecycle.md#preflight:2': {
    is: 'program',
    before: "import { signalPresets } from 'fd-handoff';\n",
    after: `${serving.replace('handoff({', 'handoff({ signals,')}${ready}`,
  },
  'docs/processes.md#several-handoffs-in-one-process': {
    is: 'program',
    handoffs: 2,
    before: `${http}
const web = http.createServer((request, response) => response.end('web'));
const console = http.createServer((request, response) => response.end('console'));
`,
  },
  'docs/command.md#status': { is: 'left', because: 'test/e2e/command-status.test.ts runs them' },
  'docs/command.md#hammer': { is: 'left', because: 'test/e2e/draining-generations.test.ts runs such lines' },
  'docs/command.md#upgrade': { is: 'left', because: 'test/e2e/command-upgrade.test.ts runs it' },
  'docs/command.md#dev': { is: 'left', because: 'test/e2e/command-dev.test.ts runs it' },
  'docs/command.md#completion': {
    is: 'left',
    because: 'test/e2e/command-completion.test.ts loads the scripts into shells',
  },
  'docs/bundlers.md#jest': { is: 'left', because: 'test/package/jest.test.ts runs such a server in Jest' },
  'docs/command.md#exec': { is: 'left', because: 'test/e2e/exec.test.ts runs such lines' },
  'docs/command.md#listen': { is: 'left', because: 'test/e2e/listen.test.ts runs such lines' },
  'docs/other-programs.md#gunicorn-and-other-python-servers': otherProgram,
  'docs/other-programs.md#nginx': otherProgram,
  'docs/other-programs.md#perl-start_server-and-starlet': otherProgram,
  'docs/other-programs.md#perl-start_server-and-starlet:2': otherProgram,
  'docs/other-programs.md#s6-and-others-with-a-notification-descriptor': otherProgram,
  'docs/performance.md#performance': {
    is: 'left',
    because:
      'measures for a quarter of an hour, and wants the machine for itself; test/e2e/benchmarks.test.ts runs it in short',
  },
  'docs/building.md#from-source': { is: 'left', because: 'test/package/install.test.ts runs these commands' },
  'docs/building.md#the-prebuilt-ones': built,
  'docs/building.md#looking-for-mistakes-in-the-addon': built,
  'docs/building.md#coverage': built,
  'docs/building.md#lib': {
    is: 'left',
    because: 'runs all tests, this one among them; that the script exists is checked',
  },
  'docs/signals.md#signals': {
    is: 'program',
    before: `
import http from 'node:http';
const flushCaches = () => {};
const checkConfiguration = async () => {};
const tellTheTeam = async () => {};
const openLogFiles = () => {};
`,
    after: `
await app.listen(http.createServer((request, response) => response.end('served')), { port: 8080 });
await app.ready();
`,
    // What replaces a process in nginx; its SIGHUP is a reload, which is a replacement, too.
    replacedBy: 'SIGHUP',
  },
};
