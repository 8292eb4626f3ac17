import { isObject, type JsonObject } from '../channel/frame.ts';
import type { ManifestEntry } from './manifest.ts';

/**
 * Who else holds a descriptor, so that it outlives every process of the service: the service manager, which passes it to
 * the next start. It travels in the manifest, because only the process that was started by the manager is told.
 */
export interface Keeper extends JsonObject {
  /** The control group of the service that the manager keeps it for: another service's manager keeps it for that one. */
  service: string;
  /** What the manager calls it. */
  name: string;
}

/** Who keeps the descriptor of this line; null where nobody does. */
export function keeperOf({ keeper }: ManifestEntry): Keeper | null {
  if (keeper === undefined || !isObject(keeper)) return null;
  const { service, name } = keeper;
  return typeof service === 'string' && typeof name === 'string' ? { service, name } : null;
}
