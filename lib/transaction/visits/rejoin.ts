import { setTimeout as delay } from 'node:timers/promises';
import type { Control } from '../../channel/control.ts';
import { Deadline } from '../../channel/deadline.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { answerInquiries, type DrainAnswers } from '../drains/drain-answers.ts';
import { readFeatures } from '../hello.ts';
import { visit } from './visit.ts';

/**
 * How long whoever serves may take to let a visitor in, in milliseconds: a new image of it is started first where it has
 * replaced its own, which takes as long as a slow start.
 */
const welcomeTimeout = 60_000;

/** How long to wait before the next try, in milliseconds, and how many there are: an owner has changed meanwhile. */
const retryInterval = 500;
const tries = 5;

/**
 * Makes a process that still drains known to whoever serves on `path`, as its successor has gone before it, or has a
 * successor of its own. Resolves when the drain is over, as `over` says, or when nobody is there who wants to know: an
 * owner of an earlier version, or none.
 *
 * @param onWelcome is told of each that lets it in, with what that can do
 */
export async function rejoin(
  path: string,
  generation: number,
  answers: DrainAnswers,
  onWelcome: (control: Control, features: readonly string[]) => void,
  over: AbortSignal,
): Promise<void> {
  for (let failed = 0; failed < tries && !over.aborted; ) {
    try {
      using deadline = Deadline.after(welcomeTimeout, `Nobody on ${path} has let this process in`, over);
      const { control, frame } = await visit(path, 'drain', 'WELCOME', deadline.signal, { generation });
      failed = 0;
      answerInquiries(control, answers);
      onWelcome(control, readFeatures(frame));
      control.unref();
      const hangUp = () => control.destroy();
      over.addEventListener('abort', hangUp, { once: true });
      await control.closed;
      over.removeEventListener('abort', hangUp);
    } catch (error) {
      // An owner that does not know the intent never will.
      if (error instanceof HandoffError && error.code === 'ERR_HANDOFF_REFUSED') return;
      failed++;
    }
    await delay(retryInterval, undefined, { signal: over, ref: false }).catch(() => {});
  }
}
