import { type Hello, readHello } from '../../lib/transaction/hello.ts';
import { type Candidate, makeOffer, type Offer, type OfferPhase } from '../../lib/transaction/predecessor.ts';
import { Takeover } from '../../lib/transaction/successor.ts';
import { ChannelPair } from './channel-pair.ts';
import { never } from './never.ts';

/** A predecessor and a successor, face to face in one process. */
export class Meeting extends ChannelPair {
  readonly phases: OfferPhase[] = [];
  /** Before its HELLO nothing is known of the successor. */
  #hello: Hello = { intent: 'takeover', pid: process.pid, token: null, features: [], details: {} };

  /** The successor as the predecessor knows it. */
  get candidate(): Candidate {
    return { channel: this.sending, hello: this.#hello };
  }

  /** The predecessor's side, from HELLO to the newline. `atPhase` is called when one is reached. */
  async offer(
    offer: Partial<Offer> = {},
    signal: AbortSignal = never,
    atPhase: (phase: OfferPhase) => void = () => {},
  ): Promise<string> {
    this.#hello = readHello(await this.sending.control.expect(['HELLO'], signal));
    const whole: Offer = {
      mode: 'replace',
      generation: 0,
      descriptors: [],
      states: [],
      saveStates: async () => [],
      readyTimeout: 60_000,
      ...offer,
    };
    return makeOffer(this.candidate, whole, signal, (phase) => {
      this.phases.push(phase);
      atPhase(phase);
    });
  }

  /** The successor's side, up to the whole offer. */
  takeOver(signal: AbortSignal = never): Promise<Takeover> {
    return Takeover.begin(this.receiving, 'takeover', signal);
  }
}
