import type { PeerCredentials } from '../../fd/peer-credentials.ts';
import type { PidFile } from '../../process/pid-file.ts';
import type { PassedDescriptor } from '../../systemd/listen-fds.ts';
import type { StoreChoice } from '../../systemd/service.ts';
import type { ServiceUser } from '../../transaction/path/socket-owner.ts';
import type { LifecycleHooks } from './hooks.ts';

/**
 * What becomes of a handoff whose successor registers less than its predecessor has. `'close'`: what nobody uses is closed,
 * as long as a listener or a datagram socket is used. `'refuse'`: the successor is none.
 */
export type UnclaimedChoice = 'close' | 'refuse';

/** What `handoff()` was told, with the defaults, checked: as much of it as a process's life goes by. */
export interface Settings {
  readonly control: string | null;
  readonly readyTimeout: number;
  readonly drainTimeout: number;
  readonly shutdownTimeout: number;
  readonly shutdownDelay: number;
  readonly pidFile: PidFile | null;
  readonly authorize: (peer: PeerCredentials) => boolean | Promise<boolean>;
  /** The user that the service becomes; null where none was named. */
  readonly user: ServiceUser | null;
  readonly share: boolean;
  readonly unclaimed: UnclaimedChoice;
  readonly hooks: LifecycleHooks;
  readonly closeTimeout: number;
  readonly exit: boolean;
  /** Null where there is to be no service manager. */
  readonly systemd: { readonly store: StoreChoice; readonly keepsAll: boolean } | null;
  /** Taken over. */
  readonly inherit: readonly PassedDescriptor[];
}
