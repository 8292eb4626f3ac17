import { HandoffError } from '../../fd/handoff-error.ts';
import type { Meeting } from '../../meeting/meeting.ts';
import { DrainLine } from '../../transaction/drains/drain-line.ts';
import { abortPayload, type Mode, welcomePayload } from '../../transaction/predecessor.ts';
import type { Visitor } from '../../transaction/reception.ts';
import { answerHammer, readChosen } from '../../transaction/visits/hammer-answer.ts';
import { answerUpgrade, type UpgradeListener } from '../../transaction/visits/upgrade-answer.ts';
import { upgradeLimit } from '../contract/call-options.ts';
import { whyNotOwning } from '../decision/offers.ts';
import { isAttempting, isOwning } from '../decision/state.ts';
import { refusalError } from '../parts/guards.ts';
import type { Parts } from '../parts/parts.ts';
import type { HandoffStatus } from '../parts/status.ts';
import type { OfferPlan } from './offer.ts';

/** What visitors of the control path can have this process do. */
export interface Hosting {
  status(): Promise<HandoffStatus>;
  hammer(): void;
  upgrade(listener: UpgradeListener): Promise<number>;
  offer(plan: OfferPlan): Promise<number>;
}

/** Receives whoever comes to the control path, and answers what it has come for. */
export async function receive(parts: Parts, visitor: Visitor, hosting: Hosting): Promise<void> {
  const { hello, control, channel, peer } = visitor;
  const { generations, generation, settings, life, reopenings } = parts;
  try {
    if (hello.intent === 'status') {
      control.send('STATUS', await hosting.status());
      void control.end();
      return;
    }
    if (hello.intent === 'drain') {
      const theirs = Number.isSafeInteger(hello.details.generation) ? (hello.details.generation as number) : 0;
      generations.join(new DrainLine(control, { pid: peer.pid, generation: theirs }, hello.features));
      control.send('WELCOME', welcomePayload(generation));
      // It has heard of the last one, or was nobody's neighbour at that moment.
      reopenings.join(control, hello.features, 0);
      control.unref();
      return;
    }
    if (hello.intent === 'hammer') {
      const owner = { pid: process.pid, generation, hammer: () => hosting.hammer() };
      return await answerHammer(control, readChosen(hello.details), owner, generations);
    }
    if (hello.intent === 'upgrade') {
      requireOwning(parts);
      return await answerUpgrade(control, upgradeLimit(settings), (listener) => hosting.upgrade(listener));
    }
    if (channel === null) {
      throw new HandoffError('ERR_HANDOFF_REFUSED', `This version does not answer the intent "${hello.intent}".`);
    }
    const mode: Mode = hello.intent === 'share' ? 'share' : 'replace';
    // A pool that is started at once comes all at once: its members wait for one another.
    while (mode === 'share' && isAttempting(life.state)) await parts.underway.attempt?.ended;
    const meeting: Meeting = { how: 'channel', candidate: { channel, hello }, pid: peer.pid, spawned: null };
    await hosting.offer({ mode, prepare: async () => async () => meeting });
  } catch (error) {
    // An offer that failed has said ABORT and closed the connection; this is for those that were never made.
    control.send('REFUSED', abortPayload(error));
    void (channel ?? control).end();
  }
}

/** Before anything is answered: who asks is to hear at once that this process cannot. */
function requireOwning({ life }: Parts): void {
  const { state } = life;
  if (!isOwning(state.is)) throw refusalError(whyNotOwning(state), 'offer', state);
}
