import { invalidValue, outOfRange, validateObject, validateString, validateStrings } from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

function environment(env: Readonly<Record<string, string | undefined>>): string[] {
  const variables: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    validateString(name, 'env');
    if (name === '' || name.includes('=')) throw invalidValue('env', 'an object whose names contain no "="', name);
    validateString(value, `env.${name}`);
    variables.push(`${name}=${value}`);
  }
  return variables;
}

/**
 * Replaces the program that this process runs, keeping its PID. execve(2).
 *
 * Nothing of the present program runs again: no exit handler, no pending write. Flush first; clear close-on-exec on what
 * is to survive (Node sets it on 0 to 2 as well); make 0 to 2 blocking again. SIGPIPE gets its default back and no signal
 * stays blocked; if the exec fails, both are as before.
 *
 * @param file The path of the program; PATH is not searched.
 * @param args All arguments, the program's own name included; at least that one.
 * @param env The whole environment; members that are undefined are left out.
 * @returns Only by throwing.
 * @throws {Error} ENOENT, EACCES, ENOEXEC, E2BIG, ETXTBSY.
 */
export function exec(file: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>): never {
  validateString(file, 'file');
  validateStrings(args, 'args');
  if (args.length === 0) throw outOfRange('args.length', '>= 1', 0);
  validateObject(env, 'env');
  throw systemError(native().exec(file, args, environment(env)), 'execve', { path: file });
}
