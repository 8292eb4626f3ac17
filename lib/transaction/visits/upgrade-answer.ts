import type { Control } from '../../channel/control.ts';
import { abortPayload, type OfferPhase } from '../predecessor.ts';

/** Hears how far an upgrade is: the phases of the offer, then `done` at commit, each with the successor's process id. */
export type UpgradeListener = (phase: OfferPhase | 'done', pid: number) => void;

/**
 * Tells a visitor that has asked for it how an upgrade goes, from its start to `done` or `failed`; resolves when that is
 * said. The upgrade is this process's own: a visitor that goes away, or is stopped, changes nothing about it.
 *
 * @param limit how long it may take at most, in milliseconds; the visitor waits as long
 * @param upgrade must tell of `done` before this process can leave: the visitor would take the end of the connection for a
 *   death
 */
export async function answerUpgrade(
  control: Control,
  limit: number,
  upgrade: (listener: UpgradeListener) => Promise<unknown>,
): Promise<void> {
  control.send('PROGRESS', { phase: 'starting', limit });
  try {
    await upgrade((phase, pid) => control.send('PROGRESS', { phase, pid }));
  } catch (error) {
    control.send('PROGRESS', { phase: 'failed', ...abortPayload(error) });
  } finally {
    void control.end();
  }
}
