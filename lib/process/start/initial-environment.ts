import { readFileSync } from 'node:fs';
import { forOneProcess, wasTaken } from './environment.ts';

// Read when the module is loaded: a process that gives up its privileges may not read it any more.
const start = read();

/**
 * The environment that this process was started with, for its successor. What the program has made of `process.env` since
 * is not in it, nor what Node has read from an `--env-file`: the successor does both anew, and an old value would win over
 * the one that a file has by then (dotenv leaves what is set alone). What was for this process alone is not in it either.
 */
export function environmentOfStart(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(start).filter(([name]) => !forOneProcess.includes(name) && !wasTaken(name)));
}

/** A variable of the start, one that was for this process alone included. */
export function variableOfStart(name: string): string | undefined {
  return start[name];
}

/** Reads what `/proc/self/environ` has: `NAME=value` each, with a zero after it. Of a name that is there twice the first counts. */
export function parseEnvironment(text: string): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = Object.create(null);
  for (const variable of text.split('\0')) {
    const end = variable.indexOf('=');
    if (end > 0) environment[variable.slice(0, end)] ??= variable.slice(end + 1);
  }
  return { ...environment };
}

function read(): NodeJS.ProcessEnv {
  try {
    return parseEnvironment(readFileSync('/proc/self/environ', 'utf8'));
  } catch {
    // macOS, or a root folder without /proc: what it is when the library is loaded.
    return { ...process.env };
  }
}
