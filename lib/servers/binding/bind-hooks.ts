import type { BoundAddress } from './address.ts';

/** A listener, of connections or datagrams, that is about to be bound, or taken over from the predecessor. */
export interface WantedListener {
  readonly name: string;
  /** Where; before it is bound as it was asked for, with the host resolved, and after that as the kernel tells. */
  readonly address: BoundAddress;
}

/** One that is bound. */
export interface BoundListener extends WantedListener {
  /** Whether it came from the predecessor. */
  readonly inherited: boolean;
}

/** What happens before and after every binding. One that rejects makes it fail. */
export interface BindHooks {
  beforeBind(wanted: WantedListener): Promise<void>;
  afterBind(bound: BoundListener): Promise<void>;
}

export const noBindHooks: BindHooks = { beforeBind: async () => {}, afterBind: async () => {} };
