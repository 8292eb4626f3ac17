import type { Control } from '../../channel/control.ts';
import type { JsonObject } from '../../channel/frame.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { DrainingGeneration } from '../drains/draining-generation.ts';
import { abortPayload } from '../predecessor.ts';

/** Which generation is to be ended by force. */
export interface Chosen {
  /** Null: whichever has that generation; with neither, the only one that drains. */
  readonly pid: number | null;
  readonly generation: number | null;
}

/** The same as a visitor says it. */
export interface HammerRequest extends Chosen {
  /** Whether it may be the one that serves. */
  readonly serving: boolean;
}

/** The process that serves, and was asked. */
export interface Serving {
  readonly pid: number;
  readonly generation: number;
  readonly hammer: () => void;
}

/** Those that drain. */
interface Drainers {
  hammer(chosen: Chosen, onFound: (found: DrainingGeneration) => void): Promise<DrainingGeneration>;
}

export function readChosen({ target, serving }: JsonObject): HammerRequest {
  const { pid = null, generation = null } = (target ?? {}) as JsonObject;
  return {
    pid: typeof pid === 'number' ? pid : null,
    generation: typeof generation === 'number' ? generation : null,
    serving: serving === true,
  };
}

/**
 * Ends a generation by force for a visitor, and tells it how that goes: by PROGRESS, as at an upgrade. The one that serves
 * is not ended unless that is what was asked for: nobody would serve then.
 */
export async function answerHammer(
  control: Control,
  { serving, ...chosen }: HammerRequest,
  owner: Serving,
  drainers: Drainers,
): Promise<void> {
  try {
    const isOwner = chosen.pid === owner.pid || (chosen.pid === null && chosen.generation === owner.generation);
    if (serving !== isOwner) throw refusal(isOwner, owner);
    if (isOwner) {
      const { pid, generation } = owner;
      control.send('PROGRESS', { phase: 'hammering', pid, generation });
      control.send('PROGRESS', { phase: 'done', pid, generation });
      await control.end();
      owner.hammer();
      return;
    }
    const found = await drainers.hammer(chosen, ({ pid, generation }) =>
      control.send('PROGRESS', { phase: 'hammering', pid, generation }),
    );
    control.send('PROGRESS', { phase: 'done', pid: found.pid, generation: found.generation });
  } catch (error) {
    control.send('PROGRESS', { phase: 'failed', ...abortPayload(error) });
  }
  void control.end();
}

function refusal(isOwner: boolean, { pid, generation }: Serving): HandoffError {
  const who = `process ${pid} (generation ${generation})`;
  return new HandoffError(
    'ERR_HANDOFF_REFUSED',
    isOwner
      ? `Hammering ${who} would end the service: it is the one that serves. Say --serving where that is what is meant.`
      : `The one that serves is ${who}: --serving goes with that one alone.`,
  );
}
