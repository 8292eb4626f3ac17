import type { Arriving } from '../../transaction/connection-transfer.ts';
import type { Parts } from '../parts/parts.ts';

/** Serves a connection that was established by another process, or by this one before an exec. */
export function adopt({ estate, announcer }: Parts, connection: Arriving): boolean {
  return estate.moved.adopt(connection, (error) => announcer.report(error));
}

/** The same for connections that nobody else has: what this version cannot serve is closed. */
export function adoptAll(parts: Parts, connections: readonly Arriving[]): void {
  for (const connection of connections) if (!adopt(parts, connection)) connection.descriptor.close();
}
