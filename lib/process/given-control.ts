import { resolve } from 'node:path';
import { controlVariable, takeVariable } from './start/environment.ts';

/** What the variable said: it is removed when it is read, and the process's other handoffs may ask later. */
let given: string | null = null;

/**
 * The control path that whoever started this process wants it to have, in place of the program's own; null where nobody
 * does. The variable is removed: a helper that this process starts would take over from it.
 */
export function takeGivenControl(environment: NodeJS.ProcessEnv = process.env): string | null {
  const path = takeVariable(environment, controlVariable);
  // Absolute at once, as a path that the program gives.
  if (path !== undefined && path !== '') given = path.startsWith('@') ? path : resolve(path);
  return given;
}

/** An environment with that path, where there is one: for the process that is to succeed this one. */
export function withGivenControl(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return given === null ? environment : { [controlVariable]: given, ...environment };
}
