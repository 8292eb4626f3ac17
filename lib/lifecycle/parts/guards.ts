import { HandoffError } from '../../fd/handoff-error.ts';
import { isSupported } from '../../fd/native.ts';
import type { LifeEventName } from '../decision/event.ts';
import type { PhaseName, State } from '../decision/state.ts';
import type { Refusal } from '../decision/step.ts';

/** What may not be done now, as whoever wanted it is told: with what to do instead. */

/** What is called by which name. */
const calls: { readonly [event in LifeEventName]?: string } = {
  pause: 'pause()',
  resume: 'resume()',
  renew: 'reexec()',
};

export function refusalError(why: Refusal, wanted: LifeEventName, { is }: State): HandoffError {
  const call = calls[wanted] ?? wanted;
  switch (why) {
    case 'ready-twice':
      return new HandoffError('ERR_HANDOFF_NOT_READY', `ready() was called twice: this process is ${is}.`);
    case 'offering':
      return new HandoffError(
        'ERR_HANDOFF_BUSY',
        `Process ${process.pid} is handing over to a successor already: try again when that is done.`,
      );
    case 'renewing':
      return new HandoffError('ERR_HANDOFF_BUSY', `Process ${process.pid} is about to replace its own image.`);
    case 'resuming':
      return new HandoffError(
        'ERR_HANDOFF_BUSY',
        `Process ${process.pid} is about to accept again: ${call} has to wait for its resume().`,
      );
    case 'beside-another':
      return new HandoffError(
        'ERR_HANDOFF_BUSY',
        'reexec() cannot be called while another process serves beside this one (upgrade({ keep: true })): end one of the two first.',
      );
    case 'not-ready':
      return new HandoffError(
        'ERR_HANDOFF_NOT_READY',
        `Process ${process.pid} is not ready itself yet: wait for ready().`,
      );
    case 'not-owner':
      return new HandoffError(
        'ERR_HANDOFF_NOT_READY',
        `Process ${process.pid} does not own the service any more: it is ${is}.`,
      );
    case 'paused':
      return new HandoffError(
        'ERR_HANDOFF_NOT_READY',
        `${call} cannot be called while this process is paused: resume() first, or upgrade().`,
      );
    case 'told-to-stop':
      return new HandoffError(
        'ERR_HANDOFF_NOT_READY',
        `${call} cannot be called any more: process ${process.pid} was told to stop.`,
      );
  }
}

/** For an activity that has come to `reached`, and was overtaken by a stop. */
export function overtakenError(reached: LifeEventName, is: PhaseName): HandoffError {
  const doing: { readonly [event in LifeEventName]?: string } = {
    accepted: 'taking-over',
    'took-over': 'taking-over',
    'successor-ready': 'offering',
    'preflight-passed': 'rehearsing',
    prepared: 'draining-in-place',
    emptied: 'draining-in-place',
    'accepts-again': 'resuming',
  };
  return new HandoffError(
    'ERR_HANDOFF_ABORTED',
    `This process was told to shut down while it was ${doing[reached] ?? is}.`,
  );
}

/** For what is registered before `ready()`, or late: where the process serves, and is to serve on. */
export function requireRegistering({ is }: State, what: string): void {
  if (is === 'starting' || is === 'serving') return;
  const others: { readonly [phase in PhaseName]?: string } = {
    paused: 'This process is paused: resume() first.',
    draining:
      'This process has handed over to its successor: what comes now is for that one to register, before its ready().',
  };
  throw new HandoffError(
    'ERR_HANDOFF_NOT_READY',
    `${what}() cannot be called while this process is ${is}. ${others[is] ?? 'It is about to leave: what it registered now would never be served.'}`,
  );
}

/** For what needs the addon, on whichever platform. */
export function requireSupport(what: string): void {
  if (isSupported()) return;
  throw new HandoffError(
    'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
    `${what} needs descriptors to be handed between processes, which works on Linux and macOS and not on ${process.platform}. Restart the process instead.`,
  );
}
