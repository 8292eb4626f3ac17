/** A server of Node's own, restarted without this library. */
import { execFileSync } from 'node:child_process';
import { RunningProgram } from '../comparison/running-program.ts';
import { answers, type Contender, childrenOf, freePort, serverProgram } from './service.ts';

export const nodeCluster: Contender = {
  name: 'node:cluster, rolling',
  async start() {
    const port = await freePort();
    const program = new RunningProgram(process.execPath, [serverProgram('cluster-server.js')], { PORT: String(port) });
    await program.line(/^started$/);
    return {
      port,
      async replace() {
        program.signal('SIGHUP');
        await program.line(/^rolled$/);
      },
      end: () => program.end(),
    };
  },
};

export const stopAndStart: Contender = {
  name: 'stop and start',
  async start() {
    const port = await freePort();
    const start = () =>
      new RunningProgram(process.execPath, [serverProgram('plain-server.js')], { PORT: String(port) });
    let program = start();
    await program.ready();
    return {
      port,
      async replace() {
        program.signal('SIGTERM');
        await program.closed;
        await program.end();
        program = start();
        await program.ready();
      },
      end: () => program.end(),
    };
  },
};

/** What starts the server again and again, with the socket that it was given, as a service manager does with a unit. */
const restartingShell = 'while :; do "$0" "$1"; done';

export const socketActivation: Contender = {
  name: 'socket activation',
  async start() {
    execFileSync('systemd-socket-activate', ['--version'], { stdio: 'ignore' });
    const port = await freePort();
    const program = new RunningProgram('systemd-socket-activate', [
      ...['-l', `127.0.0.1:${port}`, '/bin/sh', '-c', restartingShell],
      ...[process.execPath, serverProgram('plain-server.js')],
    ]);
    // It starts the server with the first connection.
    await answers(port);
    await program.ready();
    return {
      port,
      async replace() {
        const [server] = childrenOf(program.pid);
        if (server !== undefined) program.signal('SIGTERM', server);
        await program.ready();
      },
      end: () => program.end(),
    };
  },
};
