import type { Socket } from 'node:net';
import { Connections } from './connections.ts';

/**
 * Connections that the application has adopted from the predecessor, and that no server here has accepted. This process
 * must not leave before they have.
 */
export class AdoptedConnections extends Connections {
  constructor() {
    super(null);
  }

  override get adopts(): boolean {
    return true;
  }

  override adopt(socket: Socket): boolean {
    this.track(socket);
    return true;
  }
}
