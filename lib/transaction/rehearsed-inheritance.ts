import { constants, openSync } from 'node:fs';
import { isObject, type Json } from '../channel/frame.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import type { Inheritance } from './inheritance.ts';
import {
  describeForManifest,
  type Inherited,
  isManifestEntry,
  type ManifestEntry,
  type NamedDescriptor,
} from './manifest.ts';

/** What the process that rehearses its next version says of itself: what a real successor would be offered. */
export interface Introduction {
  readonly pid: number;
  readonly generation: number;
  /** For which call of `handoff()` that is, from 0; null where it does not say so. */
  readonly ordinal: number | null;
  readonly descriptors: readonly ManifestEntry[];
}

/** One line of JSON for a rehearsal of the next version of this process. */
export function introductionLine(generation: number, descriptors: readonly NamedDescriptor[], ordinal = 0): string {
  const introduction: Introduction = {
    pid: process.pid,
    generation,
    ordinal,
    descriptors: descriptors.map(describeForManifest),
  };
  return `${JSON.stringify(introduction)}\n`;
}

/** Reads that line; null for what is none. */
export function readIntroduction(line: string): Introduction | null {
  let value: Json;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  const { pid, generation, descriptors, ordinal = null } = value;
  if (!Number.isSafeInteger(pid) || !Number.isSafeInteger(generation)) return null;
  if (!Array.isArray(descriptors) || !descriptors.every(isManifestEntry)) return null;
  return {
    pid: pid as number,
    generation: generation as number,
    ordinal: Number.isSafeInteger(ordinal) ? (ordinal as number) : null,
    descriptors,
  };
}

/** What a successor would inherit, without any of it: names and addresses, harmless descriptors, no state. */
export class RehearsedInheritance implements Inheritance {
  readonly rehearsed = true;
  readonly generation: number;
  readonly predecessor: { readonly pid: number; readonly generation: number };
  /** For which call of `handoff()` it is; null where that is not known. */
  readonly ordinal: number | null;
  /** Everything that a successor would be offered, be it taken or not. */
  readonly offered: readonly ManifestEntry[];
  readonly #entries: Map<string, ManifestEntry>;

  constructor({ pid, generation, ordinal, descriptors }: Introduction) {
    this.generation = generation + 1;
    this.predecessor = { pid, generation };
    this.ordinal = ordinal;
    this.offered = descriptors;
    this.#entries = new Map(descriptors.map((entry) => [entry.name, entry]));
  }

  get unclaimed(): ManifestEntry[] {
    return [...this.#entries.values()];
  }

  take(name: string): Inherited | null {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    this.#entries.delete(name);
    return { entry, descriptor: harmlessDescriptor(name) };
  }

  putBack({ entry, descriptor }: Inherited): void {
    descriptor.close();
    this.#entries.set(entry.name, entry);
  }

  borrow(): null {
    return null;
  }

  state(): null {
    return null;
  }
}

/** Stands for a real descriptor in a rehearsal: nothing can be read from it, and what is written to it is gone. */
export function harmlessDescriptor(name: string): OwnedFd {
  return new OwnedFd(openSync('/dev/null', constants.O_RDWR), `the descriptor "${name}" of a rehearsal`);
}
