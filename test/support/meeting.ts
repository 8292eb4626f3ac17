import { readHello } from '../../lib/handoff/hello.ts';
import { makeOffer, type Offer, type OfferPhase } from '../../lib/handoff/predecessor.ts';
import { Takeover } from '../../lib/handoff/successor.ts';
import { ChannelPair } from './channel-pair.ts';
import { never } from './never.ts';

/** A predecessor and a successor, face to face in one process. */
export class Meeting extends ChannelPair {
  readonly phases: OfferPhase[] = [];

  /** The predecessor's side, from HELLO to the newline. `atPhase` is called when one is reached. */
  async offer(
    offer: Partial<Offer> = {},
    signal: AbortSignal = never,
    atPhase: (phase: OfferPhase) => void = () => {},
  ): Promise<string> {
    const hello = readHello(await this.sending.control.expect(['HELLO'], signal));
    const whole: Offer = {
      mode: 'replace',
      generation: 0,
      descriptors: [],
      states: [],
      saveStates: async () => [],
      readyTimeout: 60_000,
      ...offer,
    };
    return makeOffer({ channel: this.sending, hello }, whole, signal, (phase) => {
      this.phases.push(phase);
      atPhase(phase);
    });
  }

  /** The successor's side, up to the whole offer. */
  takeOver(signal: AbortSignal = never): Promise<Takeover> {
    return Takeover.begin(this.receiving, 'takeover', signal);
  }
}
