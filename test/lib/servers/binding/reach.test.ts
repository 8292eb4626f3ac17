import { describe, expect, it } from 'vitest';
import { covers, overlaps, type Reach, reachOf } from '../../../../lib/servers/binding/reach.ts';

function at(address: string, { port = 80, ipv6Only = false } = {}): Reach {
  return { address, port, ipv6Only };
}

describe('covers', () => {
  it.each<[Reach, Reach, boolean]>([
    [at('0.0.0.0'), at('127.0.0.1'), true],
    [at('127.0.0.1'), at('0.0.0.0'), false],
    [at('127.0.0.1'), at('127.0.0.1'), true],
    [at('127.0.0.1'), at('127.0.0.2'), false],
    [at('0.0.0.0'), at('127.0.0.1', { port: 81 }), false],
    [at('0.0.0.0'), at('::1'), false],
    [at('0.0.0.0'), at('::'), false],
    [at('::'), at('0.0.0.0'), true],
    [at('::'), at('127.0.0.1'), true],
    [at('::'), at('::1'), true],
    [at('::'), at('fe80::1%eth0'), true],
    [at('fe80::1%eth0'), at('fe80::1%eth1'), false],
    [at('::', { ipv6Only: true }), at('127.0.0.1'), false],
    [at('::', { ipv6Only: true }), at('::1'), true],
    [at('::', { ipv6Only: true }), at('::'), false],
    [at('::'), at('::', { ipv6Only: true }), true],
    [at('0.0.0.0'), at('::ffff:127.0.0.1'), true],
    [at('127.0.0.1'), at('::ffff:127.0.0.1'), true],
  ])('%j, %j: %s', (wide, narrow, expected) => {
    expect(covers(wide, narrow)).toBe(expected);
  });
});

describe('overlaps', () => {
  it('whichever of the two is the wider', () => {
    expect(overlaps(at('0.0.0.0'), at('127.0.0.1'))).toBe(true);
    expect(overlaps(at('127.0.0.1'), at('0.0.0.0'))).toBe(true);
    expect(overlaps(at('::', { ipv6Only: true }), at('0.0.0.0'))).toBe(false);
  });
});

describe('reachOf', () => {
  it('is of a port, and no path', () => {
    expect(reachOf({ path: '/x' })).toBeNull();
    expect(reachOf({ address: '::', port: 80, ipv6Only: true })).toEqual(at('::', { ipv6Only: true }));
  });

  it('leaves out what Linux reports of every other IPv6 address', () => {
    expect(reachOf({ address: '::1', port: 80, ipv6Only: true })).toEqual(at('::1'));
  });
});
