import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';

/** What a program is looked for with. */
export interface Sought {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** The path of the program, found as execvp(3) would; throws ENOENT where there is none, EACCES where none may be run. */
export function findExecutable({ command, env, cwd }: Sought): string {
  const folders = command.includes('/') ? [''] : (env.PATH ?? '/usr/bin:/bin').split(':');
  let code = 'ENOENT';
  for (const folder of folders) {
    const path = resolve(cwd, folder, command);
    try {
      checkExecutable(path);
      return path;
    } catch (error) {
      // Not here: the next folder.
      if ((error as NodeJS.ErrnoException).code === 'EACCES') code = 'EACCES';
    }
  }
  throw Object.assign(new Error(`spawn ${command} ${code}`), { code });
}

/**
 * Throws where a path is nothing that execve(2) could run: ENOENT and EACCES as access(2) says, EACCES for what is no file.
 * That it can be run is another question, which only execve(2) answers (ENOEXEC, ETXTBSY, a missing interpreter).
 */
export function checkExecutable(path: string): void {
  accessSync(path, constants.X_OK);
  if (statSync(path).isFile()) return;
  throw Object.assign(new Error(`EACCES: permission denied, ${path} is not a file`), { code: 'EACCES' });
}
