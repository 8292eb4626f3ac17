import { packageVersion } from '../../process/package-version.ts';
import type { BoundAddress, Estate } from '../../servers/index.ts';
import type { DrainingGeneration } from '../../transaction/drains/draining-generation.ts';
import type { PhaseName } from '../decision/state.ts';

/** A listener as `status()` tells of it; an address has a port or a path. */
export type ListenerStatus = {
  readonly name: string;
  readonly address: string | null;
  readonly port: number | null;
  readonly path: string | null;
  /** Whether this process accepts on it now. */
  readonly accepting: boolean;
  /** How many of its connections are open in this process. */
  readonly connections: number;
};

/** A datagram socket as `status()` tells of it; an address has a port or a path. */
export type DatagramSocketStatus = {
  readonly name: string;
  readonly address: string | null;
  readonly port: number | null;
  readonly path: string | null;
  /** Whether this process receives from it now. */
  readonly receiving: boolean;
};

/** What a process is doing, as JSON. A later version may add fields; none is taken away or gets another meaning. */
export type HandoffStatus = {
  readonly pid: number;
  /** 0 for the first process, one more for every handoff. */
  readonly generation: number;
  readonly predecessor: { readonly pid: number; readonly generation: number } | null;
  /** What it is in the middle of; docs/protocol.md has them all in a diagram. */
  readonly phase: PhaseName;
  /** When this process (or, after `reexec()`, its present image) was started: ISO 8601, UTC. */
  readonly startedAt: string;
  /** Milliseconds since then. */
  readonly uptime: number;
  readonly listeners: ListenerStatus[];
  readonly datagramSockets: DatagramSocketStatus[];
  /** The names of `descriptor()`. */
  readonly descriptors: string[];
  /** The names of `state()`. */
  readonly states: string[];
  /**
   * The generations that still drain, this process included where it does, the oldest first. What others wait for is only
   * known where they were asked, as the control path does and `app.drainingGenerations()`.
   */
  readonly draining: DrainingGeneration[];
  /** The control path that this process was given, whoever answers there. */
  readonly control: string | null;
  /** Bytes. */
  readonly memory: { readonly rss: number; readonly heapUsed: number };
  /** The version of Node, with its "v". */
  readonly node: string;
  /** The version of this library. */
  readonly version: string;
};

/** What `Handoff` knows of itself. */
export interface Subject {
  readonly generation: number;
  readonly predecessor: { readonly pid: number; readonly generation: number } | null;
  readonly phase: PhaseName;
  readonly control: string | null;
  readonly estate: Estate;
  readonly draining: DrainingGeneration[];
}

/** Reads everything at once, from memory: it can be asked for at any time, as often as one likes. */
export function statusOf({ generation, predecessor, phase, control, estate, draining }: Subject): HandoffStatus {
  const { rss, heapUsed } = process.memoryUsage();
  return {
    pid: process.pid,
    generation,
    predecessor: predecessor === null ? null : { pid: predecessor.pid, generation: predecessor.generation },
    phase,
    startedAt: new Date(performance.timeOrigin).toISOString(),
    uptime: Math.round(performance.now()),
    listeners: [
      ...estate.served.map(({ place, service, connections }) => ({
        ...whereIs(place),
        accepting: service === 'accepting',
        connections: connections.sockets.size,
      })),
      ...estate.held.map((place) => ({ ...whereIs(place), accepting: false, connections: 0 })),
    ],
    datagramSockets: estate.receivers.map(({ place, service }) => ({
      ...whereIs(place),
      receiving: service === 'accepting',
    })),
    descriptors: estate.descriptorNames,
    states: estate.states.names,
    draining,
    control,
    memory: { rss, heapUsed },
    node: process.version,
    version: packageVersion(),
  };
}

function whereIs({ name, address }: { readonly name: string; readonly address: BoundAddress }) {
  return {
    name,
    address: address.address ?? null,
    port: address.port ?? null,
    path: address.path ?? null,
  };
}
