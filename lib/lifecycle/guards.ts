import { HandoffError } from '../fd/handoff-error.ts';
import { isSupported } from '../fd/native.ts';
import { isOwning, type Owning, type Phase } from './phase.ts';

/** What may be done in which phase. Each throws where it may not, with what to do instead. */

/** The phase in which a handoff can begin; ERR_HANDOFF_BUSY during another one, ERR_HANDOFF_NOT_READY where it cannot. */
export function requireOwning(phase: Phase): Owning {
  if (isOwning(phase)) return phase;
  const { is } = phase;
  if (is === 'offering') {
    throw new HandoffError(
      'ERR_HANDOFF_BUSY',
      `Process ${process.pid} is handing over to a successor already: try again when that is done.`,
    );
  }
  if (is === 'rehearsing' || is === 'draining-in-place') {
    throw new HandoffError('ERR_HANDOFF_BUSY', `Process ${process.pid} is about to replace its own image.`);
  }
  throw new HandoffError(
    'ERR_HANDOFF_NOT_READY',
    is === 'starting' || is === 'taking-over'
      ? `Process ${process.pid} is not ready itself yet: wait for ready().`
      : `Process ${process.pid} does not own the service any more: it is ${is}.`,
  );
}

/** For what can be done from nothing but the usual service. */
export function requireServing(phase: Phase, what: string): void {
  const { is } = requireOwning(phase);
  if (is === 'serving') return;
  throw new HandoffError(
    'ERR_HANDOFF_NOT_READY',
    is === 'paused'
      ? `${what} cannot be called while this process is paused: resume() first, or upgrade().`
      : `${what} cannot be called any more: process ${process.pid} was told to stop.`,
  );
}

/** For what is registered before `ready()`, or late: where the process serves, and is to serve on. */
export function requireRegistering({ is }: Phase, what: string): void {
  if (is === 'starting' || is === 'serving') return;
  const others: { readonly [phase in Phase['is']]?: string } = {
    paused: 'This process is paused: resume() first.',
    draining:
      'This process has handed over to its successor: what comes now is for that one to register, before its ready().',
  };
  throw new HandoffError(
    'ERR_HANDOFF_NOT_READY',
    `${what}() cannot be called while this process is ${is}. ${others[is] ?? 'It is about to leave: what it registered now would never be served.'}`,
  );
}

/** For what is still so after something else was awaited: a shutdown that came meanwhile has the last word. */
export function requirePhase(phase: Phase, expected: Phase['is']): void {
  if (phase.is === expected) return;
  throw new HandoffError('ERR_HANDOFF_ABORTED', `This process was told to shut down while it was ${expected}.`);
}

/** For what needs the addon, on whichever platform. */
export function requireSupport(what: string): void {
  if (isSupported()) return;
  throw new HandoffError(
    'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
    `${what} needs descriptors to be handed between processes, which works on Linux and macOS and not on ${process.platform}. Restart the process instead.`,
  );
}
