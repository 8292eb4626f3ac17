import { setImmediate as turn } from 'node:timers/promises';
import { nodeChannelModeVariable, nodeChannelVariable } from '../process/start/environment.ts';
import { variableOfStart } from '../process/start/initial-environment.ts';
import { type ParentChannel, parentChannel } from '../servers/index.ts';

/**
 * How long the channel may take to come to rest, in milliseconds. A message that was begun is whole in the time that its
 * sender takes to write it, which is a turn of its event loop; one that is stopped must not keep an exec for good.
 */
const restLimit = 1_000;

/**
 * The channel to whoever has forked this process (`fork()`, PM2), at rest: it can survive an exec. What has been read of it
 * was whole messages, which the application has heard; what comes now is in the kernel, for the next image.
 */
export class KeptParentChannel {
  readonly #channel: ParentChannel;

  private constructor(channel: ParentChannel) {
    this.#channel = channel;
  }

  /**
   * Brings it to rest. Null where there is none, or where a message stays half read or half written: the next image could
   * go on in the middle of neither, and has none then.
   */
  static async bringToRest(): Promise<KeptParentChannel | null> {
    const channel = parentChannel();
    const until = performance.now() + restLimit;
    while (channel !== null && process.connected) {
      channel.stopReading();
      // What was read in this turn is told to the application in the next.
      await turn();
      if (channel.isQuiet() && process.connected) return new KeptParentChannel(channel);
      channel.startReading();
      if (performance.now() > until) return null;
      await turn();
    }
    return null;
  }

  /** What has to stay open. */
  get fd(): number {
    return this.#channel.fd;
  }

  /** By what Node finds it in the next image. */
  get variables(): NodeJS.ProcessEnv {
    const mode = variableOfStart(nodeChannelModeVariable);
    return {
      [nodeChannelVariable]: String(this.fd),
      ...(mode === undefined ? {} : { [nodeChannelModeVariable]: mode }),
    };
  }

  /** The exec has failed: this process goes on with it. */
  resume(): void {
    this.#channel.startReading();
  }
}
