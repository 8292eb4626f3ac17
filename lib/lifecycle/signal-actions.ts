import { isClusterWorker } from '../cluster/pool-membership.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { standardError } from '../process/output/standard-output.ts';
import type { SignalOrder } from '../signals/signals.ts';

/** As much of a `Handoff` as signals need. */
export interface Signalled {
  upgrade(options?: { keep?: boolean }): Promise<unknown>;
  reexec(): Promise<unknown>;
  pause(): Promise<unknown>;
  resume(): Promise<unknown>;
  shutdown(): Promise<unknown>;
  hammer(): void;
  status(): object;
}

/** What signals find. */
export interface Situation {
  readonly paused: boolean;
  /** Whether this is the handoff of its process whose successor takes over from all of them. */
  readonly leads: boolean;
  readonly reopen: (signal: NodeJS.Signals) => void;
  /** Is told of what fails: nobody awaits a signal. */
  readonly report: (error: unknown) => void;
}

/** Whether a signal is to replace this process, or to put another one beside it. */
export function replaces({ action }: SignalOrder): boolean {
  return action === 'upgrade' || action === 'keep' || action === 'reexec';
}

/**
 * Does what a signal's action says. Resolves when that is done, or has begun where it is the end of the process: with
 * false where it has failed.
 */
export async function actOnSignal(order: SignalOrder, app: Signalled, situation: Situation): Promise<boolean> {
  try {
    await carryOut(order, app, situation);
    return true;
  } catch (error) {
    situation.report(error);
    return false;
  }
}

async function carryOut(order: SignalOrder, app: Signalled, situation: Situation): Promise<void> {
  const { action, signal } = order;
  switch (action) {
    case 'upgrade':
      // Nothing is replaced by that, so that there is nothing to veto.
      if (situation.paused) await app.resume();
      else await replace(order, situation, () => app.upgrade());
      return;
    case 'keep':
      return await replace(order, situation, () => app.upgrade({ keep: true }));
    case 'reexec':
      return await replace(order, situation, () => app.reexec());
    case 'pause':
      if (!isClusterWorker()) await app.pause();
      return;
    case 'shutdown':
      app.shutdown().catch(situation.report);
      return;
    case 'hammer':
      return app.hammer();
    case 'reopen':
      return situation.reopen(signal);
    case 'status':
      standardError.write(`${JSON.stringify(app.status())}\n`);
      return;
    case 'none':
      return;
  }
}

/**
 * What replaces the process is done once: by the first of its handoffs, whose successor takes over from the others by
 * their control paths. And a signal that goes to a whole process group reaches a worker's primary as well.
 */
async function replace(
  { signal, vetoed }: SignalOrder,
  { leads }: Situation,
  act: () => Promise<unknown>,
): Promise<void> {
  if (isClusterWorker() || !leads) return;
  if (vetoed) {
    throw new HandoffError(
      'ERR_HANDOFF_ABORTED',
      `${signal} did not replace process ${process.pid}: a hook before it has failed.`,
    );
  }
  await act();
}
