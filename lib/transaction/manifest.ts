import { isObject, type Json, type JsonObject } from '../channel/frame.ts';
import { type Description, describe } from '../fd/describe.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';

/** The reserved names: the write end of the ready pipe, and the control listener itself. */
export const readyName = '@ready';
export const controlName = '@control';

/** A descriptor that is to be handed over; borrowed, it stays with its owner. */
export interface NamedDescriptor {
  readonly name: string;
  readonly fd: number;
  /** What the owner knows of it beyond what the kernel tells: the backlog, say. It travels in the manifest. */
  readonly notes?: JsonObject;
}

/** A line of the manifest: what a descriptor is, in words that both sides can check. */
export interface ManifestEntry extends JsonObject {
  name: string;
  kind: string;
}

/** A descriptor that arrived and is what its line said. */
export interface Inherited {
  readonly entry: ManifestEntry;
  readonly descriptor: OwnedFd;
}

/** What of a descriptor is compared on arrival. A listener's address is part of it: a wrong port must not be served. */
const verified = ['kind', 'family', 'type', 'address', 'port', 'path'] as const;

/** Writes the line for a descriptor, from what the kernel says of it. */
export function describeForManifest({ name, fd, notes }: NamedDescriptor): ManifestEntry {
  return { ...notes, name, ...facts(describe(fd)) };
}

/** Throws ERR_HANDOFF_DESCRIPTOR_MISMATCH unless `descriptor` is what `entry` says. */
export function verifyDescriptor(entry: ManifestEntry, descriptor: OwnedFd): void {
  const actual = facts(describe(descriptor.fd));
  const wrong = verified.filter((fact) => (entry[fact] ?? null) !== (actual[fact] ?? null));
  if (wrong.length === 0) return;
  const differences = wrong.map((fact) => `${fact} is ${actual[fact] ?? 'none'}, not ${entry[fact] ?? 'none'}`);
  throw new HandoffError(
    'ERR_HANDOFF_DESCRIPTOR_MISMATCH',
    `The descriptor that arrived as "${entry.name}" is not what the manifest says: ${differences.join('; ')}.`,
  );
}

export function isManifestEntry(value: Json): value is ManifestEntry {
  return isObject(value) && typeof value.name === 'string' && typeof value.kind === 'string';
}

function facts(description: Description): JsonObject & { kind: string } {
  if (description.kind !== 'socket') return { kind: description.kind };
  const { family, type, address, port, path, ipv6Only } = description;
  return {
    kind: description.listening ? 'listener' : type === 'datagram' ? 'datagram' : 'socket',
    family: family ?? null,
    type: type ?? null,
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
    ...(ipv6Only === undefined ? {} : { ipv6Only }),
  };
}
