import type { ManifestEntry } from './handoff/manifest.ts';
import type { Takeover } from './handoff/successor.ts';
import { type BoundAddress, formatAddress } from './servers/index.ts';

/** Warns of listeners that this version does not register: they are closed. Where that is no intention it is an outage. */
export function warnOfUnclaimed({ mode, unclaimed, predecessor }: Takeover): void {
  if (mode !== 'replace') return;
  for (const entry of unclaimed) {
    if (entry.kind !== 'listener' && entry.kind !== 'datagram') continue;
    process.emitWarning(
      `Nobody in this version ${entry.kind === 'listener' ? 'listens' : 'receives'} with "${entry.name}" (${formatAddress(entry as BoundAddress)}) of process ${predecessor.pid}: it is closed. Is another program using the same control path?`,
      { type: 'HandoffWarning', code: 'FD_HANDOFF_UNCLAIMED' },
    );
  }
}

/** The same for what the service manager has passed. It keeps copies, so that nothing but this process's ends. */
export function warnOfUnclaimedPassed(unclaimed: readonly ManifestEntry[]): void {
  for (const entry of unclaimed) {
    process.emitWarning(
      `Nobody in this version uses "${entry.name}" (${formatAddress(entry as BoundAddress)}), which the service manager has passed: it is closed here, and a socket unit that holds it queues connections that nobody serves. Listen with it, or take it out of the unit.`,
      { type: 'HandoffWarning', code: 'FD_HANDOFF_UNCLAIMED' },
    );
  }
}
