import { HandoffError } from '../../fd/handoff-error.ts';
import { type BoundAddress, type Estate, formatAddress, isReceiving, sameClients } from '../../servers/index.ts';
import type { ManifestEntry } from '../../transaction/manifest.ts';
import type { Takeover } from '../../transaction/successor.ts';
import type { UnclaimedChoice } from '../contract/settings.ts';

/** What a predecessor has offered, and what of that nobody in this version has taken. */
export interface Offered {
  readonly predecessor: { readonly pid: number };
  readonly offered: readonly ManifestEntry[];
  readonly unclaimed: readonly ManifestEntry[];
}

/**
 * Throws ERR_HANDOFF_UNCLAIMED for a version that is no successor: it serves nothing of what it was offered, or has a server
 * of its own where it was offered a listener, or leaves anything where it is not to.
 */
export function requireClaims(offer: Offered, estate: Estate, choice: UnclaimedChoice): void {
  const listeners = offer.offered.filter(isReceiving);
  const left = offer.unclaimed.filter((entry) => !servedInstead(entry, estate));
  const leftListeners = left.filter(isReceiving);
  const server = listeningByItself(offer.unclaimed, estate);
  if (server !== null) {
    throw unclaimed(
      `A server of this version listens by itself on ${formatAddress(server)}, which process ${offer.predecessor.pid} has offered`,
    );
  }
  if (listeners.length > 0 && leftListeners.length === listeners.length) {
    throw unclaimed(
      `This version serves nothing of what process ${offer.predecessor.pid} has offered: ${listed(leftListeners)}`,
    );
  }
  if (choice === 'refuse' && left.length > 0) {
    throw unclaimed(
      `This version leaves ${listed(left)} of what process ${offer.predecessor.pid} has offered, and has { unclaimed: 'refuse' }`,
    );
  }
}

/** Warns of listeners that this version does not register: they are closed. Where that is no intention it is an outage. */
export function warnOfUnclaimed({ mode, unclaimed: entries, predecessor }: Takeover): void {
  if (mode !== 'replace') return;
  for (const entry of entries) {
    if (!isReceiving(entry)) continue;
    process.emitWarning(
      `Nobody in this version ${entry.kind === 'datagram' ? 'receives' : 'listens'} with "${entry.name}" (${formatAddress(entry as BoundAddress)}) of process ${predecessor.pid}: it is closed. Is another program using the same control path?`,
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

/** Warns of a `ready()` of a process that has nothing to serve with, and was offered nothing. */
export function warnOfNothingRegistered(estate: Estate): void {
  const [server] = estate.strangers;
  // A process that only hands state on, a consumer of a queue say, has nothing to listen with.
  if (!estate.servesNothing || (server === undefined && estate.states.names.length > 0)) return;
  const what =
    server === undefined
      ? 'Register its server with app.listen(server, …) before that.'
      : `A server listens by itself on ${formatAddress(server)}: give it to app.listen(server, …) in place of its own listen(), or the next version cannot take it over.`;
  process.emitWarning(`ready() was called, and nothing is registered with this handoff. ${what}`, {
    type: 'HandoffWarning',
    code: 'FD_HANDOFF_NOTHING_REGISTERED',
  });
}

/** This version has another in its place: by its name, or a narrower or wider one that gets its clients. */
function servedInstead(entry: ManifestEntry, estate: Estate): boolean {
  return estate.places.some(({ name, address }) => name === entry.name || sameClients(entry, address));
}

/** With SO_REUSEPORT, or on a socket file that was removed, a second one can be bound that nobody knows of. */
function listeningByItself(entries: readonly ManifestEntry[], estate: Estate): BoundAddress | null {
  return estate.strangers.find((address) => entries.some((entry) => sameClients(entry, address))) ?? null;
}

function unclaimed(what: string): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_UNCLAIMED',
    `${what}. The process that serves stays the owner. Call app.listen(server, …) in place of the server's own listen(): that fails beside the owner with EADDRINUSE, which a framework's callback may keep to itself. To move to another address, give both listeners the same "name".`,
  );
}

function listed(entries: readonly ManifestEntry[]): string {
  return entries.map((entry) => `"${entry.name}" (${formatAddress(entry as BoundAddress)})`).join(', ');
}
