/** `pm2 reload`: two workers of node:cluster, replaced one after the other. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { benchPackages } from '../fetched-packages.ts';
import { answers, type Contender, freePort, serverProgram } from './service.ts';

const run = promisify(execFile);

/** How long a command of it may take, in milliseconds. */
const commandDeadline = 60_000;

export const pm2: Contender = {
  name: 'PM2 reload',
  async start({ folder, fetch }) {
    const program = benchPackages.resolve('pm2/bin/pm2', fetch);
    const port = await freePort();
    const env = {
      ...process.env,
      PORT: String(port),
      // A daemon of its own, with nobody else's services.
      PM2_HOME: join(folder, 'pm2'),
      PM2_DISABLE_VERSION_CHECK: 'true',
    };
    const command = (...commandArguments: string[]) =>
      run(process.execPath, [program, ...commandArguments], { env, timeout: commandDeadline });
    const end = async () => void (await command('kill'));
    try {
      await command(
        'start',
        serverProgram('plain-server.js'),
        ...['--name', 'web', '-i', '2', '--wait-ready', '--kill-timeout', '5000'],
      );
      await answers(port);
    } catch (error) {
      await end();
      throw error;
    }
    return { port, replace: async () => void (await command('reload', 'web')), end };
  },
};
