import { isIPv4 } from 'node:net';
import type { ManifestEntry } from '../../transaction/manifest.ts';
import type { BoundAddress } from './address.ts';

/** For which addresses of the machine a TCP listener takes connections. */
export interface Reach {
  readonly address: string;
  readonly port: number;
  /** Of `::` alone: whether it leaves IPv4 out. */
  readonly ipv6Only: boolean;
}

/** The reach of a listener as the manifest or `describe` tells of it; null where it is none of TCP. */
export function reachOf({
  address,
  port,
  ipv6Only = false,
}: BoundAddress & { readonly ipv6Only?: boolean }): Reach | null {
  if (address === undefined || port === undefined) return null;
  return { address, port, ipv6Only: address === '::' && ipv6Only };
}

/** Whether every connection that `narrow` takes would find `wide`, were `narrow` not there. */
export function covers(wide: Reach, narrow: Reach): boolean {
  if (wide.port !== narrow.port) return false;
  const [wideAddress, narrowAddress] = [withoutMapping(wide.address), withoutMapping(narrow.address)];
  if (wideAddress === '::') {
    if (isIPv4(narrowAddress)) return !wide.ipv6Only;
    return narrowAddress !== '::' || narrow.ipv6Only || !wide.ipv6Only;
  }
  if (wideAddress === '0.0.0.0') return isIPv4(narrowAddress);
  return wideAddress === narrowAddress;
}

/** Whether there are connections that either could take: such two cannot be bound side by side without SO_REUSEPORT. */
export function overlaps(one: Reach, other: Reach): boolean {
  return covers(one, other) || covers(other, one);
}

/** Whether clients of what is described could come to `address` as well: the same path, or ports that overlap. */
export function sameClients(entry: ManifestEntry, address: BoundAddress): boolean {
  const bound = entry as BoundAddress;
  if (bound.path !== undefined || address.path !== undefined) return bound.path === address.path;
  const [one, other] = [reachOf(bound), reachOf(address)];
  return one !== null && other !== null && overlaps(one, other);
}

/** An IPv4 address is the same one in the notation of IPv6 (`::ffff:127.0.0.1`). */
function withoutMapping(address: string): string {
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? [];
  return mapped ?? address;
}
