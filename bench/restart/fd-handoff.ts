/** The project itself, in the three ways in which it replaces a server. */
import { join } from 'node:path';
import { RunningProgram } from '../comparison/running-program.ts';
import { type Contender, freePort, type Service, serverProgram } from './service.ts';

/** @param replace brings the next version; resolves with the program whose lines tell of it */
function contender(name: string, replace: (former: Former) => Promise<Former>): Contender {
  return {
    name,
    async start({ folder }): Promise<Service> {
      const port = await freePort();
      const environment = { PORT: String(port), CONTROL: join(folder, 'control.sock') };
      const start = () => new RunningProgram(process.execPath, [serverProgram('handoff-server.js')], environment);
      const program = start();
      const programs = [program];
      let current: Former = { program, pid: await program.ready(), start };
      return {
        port,
        async replace() {
          current = await replace(current);
          if (!programs.includes(current.program)) programs.push(current.program);
        },
        end: async () => void (await Promise.all(programs.map((each) => each.end()))),
      };
    },
  };
}

interface Former {
  /** Whose output the serving process prints on. */
  readonly program: RunningProgram;
  readonly pid: number;
  readonly start: () => RunningProgram;
}

/** SIGHUP: the old process starts the new one. */
export const byUpgrade = contender('fd-handoff, upgrade', async ({ program, pid, start }) => {
  program.signal('SIGHUP', pid);
  const next = await program.ready();
  await program.line(new RegExp(`^gone pid=${pid}$`));
  return { program, pid: next, start };
});

/** A deploy script starts the new one, which finds the old one by the control path. */
export const bySeparateStart = contender('fd-handoff, separate start', async ({ program, pid, start }) => {
  const successor = start();
  const next = await successor.ready();
  await program.line(new RegExp(`^gone pid=${pid}$`));
  return { program: successor, pid: next, start };
});

/** The same process, another image: nobody serves while that starts, and who asks waits. */
export const byReexec = contender('fd-handoff, reexec', async ({ program, pid, start }) => {
  program.signal('SIGUSR2', pid);
  return { program, pid: await program.ready(), start };
});
