/** nginx and HAProxy, which answer by themselves here, and are reloaded as their manuals have it. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunningProgram } from '../comparison/running-program.ts';
import { answers, type Contender, childrenOf, freePort, type Service, workersReplaced } from './service.ts';

interface Proxy {
  readonly name: string;
  readonly command: string;
  readonly versionArguments: readonly string[];
  readonly configuration: (port: number, folder: string) => string;
  readonly startArguments: (configurationFile: string, folder: string) => readonly string[];
  readonly reloadSignal: NodeJS.Signals;
}

function contender(proxy: Proxy): Contender {
  return {
    name: proxy.name,
    async start({ folder }): Promise<Service> {
      execFileSync(proxy.command, proxy.versionArguments, { stdio: 'ignore' });
      const port = await freePort();
      const file = join(folder, 'configuration');
      writeFileSync(file, proxy.configuration(port, folder));
      const program = new RunningProgram(proxy.command, proxy.startArguments(file, folder));
      try {
        await answers(port);
      } catch (error) {
        await program.end(childrenOf(program.pid));
        throw error;
      }
      return {
        port,
        async replace() {
          const former = childrenOf(program.pid);
          program.signal(proxy.reloadSignal);
          await workersReplaced(program.pid, former);
        },
        end: () => program.end(childrenOf(program.pid)),
      };
    },
  };
}

export const nginx = contender({
  name: 'nginx -s reload',
  command: 'nginx',
  versionArguments: ['-v'],
  configuration: (port, folder) => `
    daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
    events { worker_connections 1024; }
    http {
      access_log off; keepalive_requests 1000000000;
      server { listen 127.0.0.1:${port}; location / { return 200 "hello\\n"; } }
    }`,
  startArguments: (file, folder) => ['-p', folder, '-c', file],
  // What -s reload sends.
  reloadSignal: 'SIGHUP',
});

export const haproxy = contender({
  name: 'HAProxy reload',
  command: 'haproxy',
  versionArguments: ['-v'],
  configuration: (port) => `
global
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend web
  bind 127.0.0.1:${port}
  http-request return status 200 content-type text/plain string "hello"
`,
  startArguments: (file) => ['-W', '-db', '-f', file],
  reloadSignal: 'SIGUSR2',
});
