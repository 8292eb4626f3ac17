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
