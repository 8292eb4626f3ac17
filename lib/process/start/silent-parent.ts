import { isMainThread } from 'node:worker_threads';
import { nodeChannelVariable, preflightVariable, silentParentVariable, takeVariable } from './environment.ts';
import { variableOfStart } from './initial-environment.ts';

// Read when the library is loaded: before the application can say that it is ready.
const had = variableOfStart(nodeChannelVariable) !== undefined || variableOfStart(silentParentVariable) !== undefined;
const isRehearsal = preflightVariable in process.env;
const told = takeVariable(process.env, silentParentVariable);
if (told !== undefined && isMainThread && process.send === undefined) beSilent();

/** An environment that says so, where this process was forked: the next version has no channel to whoever did that. */
export function withSilentParent(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return had ? { ...environment, [silentParentVariable]: '1' } : environment;
}

/**
 * A program that was written for `fork()` or PM2 calls `process.send()` unguarded, and would end by that in a process that
 * nobody has forked: its next version. There it does nothing, and says so once.
 */
function beSilent(): void {
  let warned = isRehearsal;
  const send = (...words: unknown[]): boolean => {
    const callback = words.findLast((word) => typeof word === 'function') as ((error: Error) => void) | undefined;
    if (callback !== undefined) process.nextTick(callback, closed());
    if (!warned) {
      process.emitWarning(
        'process.send() does nothing in this process: whoever has forked its first version has no channel to this one. reexec() keeps it, with the PID.',
        { type: 'HandoffWarning', code: 'FD_HANDOFF_SILENT_PARENT' },
      );
    }
    warned = true;
    return false;
  };
  process.send = send;
  process.disconnect ??= () => {};
}

/** What Node says of a channel that was closed. */
function closed(): Error {
  return Object.assign(new Error('Channel closed'), { code: 'ERR_IPC_CHANNEL_CLOSED' });
}
