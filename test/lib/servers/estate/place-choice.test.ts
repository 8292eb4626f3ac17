import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../../../lib/fd/socket.ts';
import { type AddressOptions, resolveAddress } from '../../../../lib/servers/binding/address.ts';
import { boundAddress } from '../../../../lib/servers/binding/bound-socket.ts';
import type { ListenerOptions, ServerPlace } from '../../../../lib/servers/binding/listener.ts';
import { PlaceChoice } from '../../../../lib/servers/estate/place-choice.ts';
import type { NamedDescriptor } from '../../../../lib/transaction/manifest.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { Received } from '../../../support/received.ts';

const defaults: ListenerOptions = { backlog: 64, ipv6Only: false, reusePort: false };
const shared: ListenerOptions = { ...defaults, reusePort: true };

let descriptors: DescriptorCheck;
let held: OwnedFd[];
let places: ServerPlace[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  held = [];
  places = [];
});
afterEach(async () => {
  for (const place of places) place.close();
  for (const descriptor of held) descriptor.close();
  Received.closeAll();
  await descriptors[Symbol.asyncDispose]();
});

/** A listener of the predecessor's. */
function former(name: string, address: string, port = 0, options: { ipv6Only?: boolean; reusePort?: boolean } = {}) {
  const descriptor = new OwnedFd(bindTcp(address, port, options), 'a listener of the predecessor');
  held.push(descriptor);
  listen(descriptor.fd, 64);
  return { name, fd: descriptor.fd, port: boundAddress(descriptor.fd).port as number };
}

function choiceAfter(...inherited: NamedDescriptor[]): { choice: PlaceChoice; received: Received } {
  const received = new Received(inherited);
  return { choice: new PlaceChoice(received), received };
}

async function choose(
  choice: PlaceChoice,
  name: string,
  where: AddressOptions,
  options = defaults,
): Promise<ServerPlace> {
  const place = await choice.choose(name, await resolveAddress(where), options);
  places.push(place);
  return place;
}

function companions(choice: PlaceChoice): [of: string, companion: string][] {
  const taken = choice.takeCompanions((name) => `${name}!`);
  places.push(...taken.map(({ companion }) => companion));
  return taken.map(({ of, companion }) => [of.name, companion.name]);
}

describe('a group on one port', () => {
  it('is given out one after the other, by name first; the rest goes to whoever has the address, evenly', async () => {
    const one = former('one', '127.0.0.1', 0, { reusePort: true });
    const { port } = one;
    const others = ['two', 'three', 'four', 'five'].map((name) => former(name, '127.0.0.1', port, { reusePort: true }));
    const { choice, received } = choiceAfter(one, ...others);
    const where = { host: '127.0.0.1', port };
    expect(choice.formerName(await choose(choice, 'three', where, shared))).toBe('three');
    expect(choice.formerName(await choose(choice, 'mine', where, shared))).toBe('one');
    expect(companions(choice)).toEqual([
      ['three', 'two!'],
      ['mine', 'four!'],
      ['three', 'five!'],
    ]);
    expect(received.unclaimed).toEqual([]);
  });

  it('gets new members beside those that there are', async () => {
    const one = former('one', '127.0.0.1', 0, { reusePort: true });
    const { choice } = choiceAfter(one);
    const where = { host: '127.0.0.1', port: one.port };
    expect((await choose(choice, 'one', where, shared)).inherited).toBe(true);
    expect((await choose(choice, 'two', where, shared)).inherited).toBe(false);
    expect(companions(choice)).toEqual([]);
  });

  it('is not served by a version that has nothing on that port, or closes what it had', async () => {
    const one = former('one', '127.0.0.1');
    const { choice, received } = choiceAfter(one);
    await choose(choice, 'other', { host: '127.0.0.1', port: 0 });
    const place = await choose(choice, 'wide', { host: '0.0.0.0', port: one.port });
    place.close();
    expect(companions(choice)).toEqual([]);
    expect(received.unclaimed.map(({ name }) => name)).toEqual(['one']);
  });
});

describe('another address on the same port', () => {
  it.each<[string, string, { ipv6Only?: boolean }, AddressOptions]>([
    ['127.0.0.1 to 0.0.0.0', '127.0.0.1', {}, { host: '0.0.0.0' }],
    ['0.0.0.0 to every address', '0.0.0.0', {}, {}],
    ['IPv6 alone to both', '::', { ipv6Only: true }, { host: '::' }],
  ])('that is wider is bound beside the old one, which is served too: %s', async (_, before, options, after) => {
    const web = former('web', before, 0, options);
    const { choice } = choiceAfter(web);
    const place = await choose(choice, 'web', { ...after, port: web.port });
    expect(place).toMatchObject({ inherited: false, address: { port: web.port } });
    expect(choice.narrowed().map(({ place: narrow }) => narrow)).toEqual([place]);
    expect(companions(choice)).toEqual([['web', 'web!']]);
  });

  it('that is narrower is bound beside the old one, which nobody takes', async () => {
    const web = former('web', '0.0.0.0');
    const { choice, received } = choiceAfter(web);
    const place = await choose(choice, 'web', { host: '127.0.0.1', port: web.port });
    expect(place).toMatchObject({ inherited: false, address: { address: '127.0.0.1', port: web.port } });
    expect(companions(choice)).toEqual([]);
    expect(choice.narrowed()).toEqual([{ place, listener: received.borrow('web') }]);
  });

  it('that the first one does not overlap is simply bound', async () => {
    const web = former('web', '127.0.0.1');
    const { choice } = choiceAfter(web);
    expect((await choose(choice, 'web', { host: '127.0.0.2', port: web.port })).inherited).toBe(false);
    expect(choice.narrowed()).toEqual([]);
  });

  it('with IPv6 alone where there are both is refused: it could not be served without a gap', async () => {
    const web = former('web', '::');
    const { choice, received } = choiceAfter(web);
    const wanted = { host: '::', port: web.port };
    await expect(choose(choice, 'web', wanted, { ...defaults, ipv6Only: true })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_DESCRIPTOR_MISMATCH',
      message: expect.stringMatching(/"web" \(\[::\]:\d+\) of process 1 takes IPv4/),
    });
    expect(received.unclaimed).toHaveLength(1);
  });

  it('that a third one has is EADDRINUSE, and says who else has the port', async () => {
    const web = former('web', '127.0.0.1');
    const { choice } = choiceAfter(web);
    former('of another process', '127.0.0.2', web.port);
    await expect(choose(choice, 'web', { host: '0.0.0.0', port: web.port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'bind',
      address: '0.0.0.0',
      port: web.port,
      message: expect.stringMatching(
        /"web" \(127\.0\.0\.1:\d+\) of process 1 has the port.*a third process.*Keep the address/,
      ),
    });
  });

  it('of this very version is EADDRINUSE as at a fresh start', async () => {
    const web = former('web', '127.0.0.1');
    const { choice } = choiceAfter(web);
    await choose(choice, 'web', { host: '127.0.0.1', port: web.port });
    const overlapping = { host: '0.0.0.0', port: web.port };
    await expect(choose(choice, 'all', overlapping)).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: expect.stringMatching(/already, with "web"/),
    });
    // Both would have to share it.
    await expect(choose(choice, 'all', overlapping, shared)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('a name that stands for several addresses', () => {
  const localhost = (port: number) =>
    ({ family: 'tcp', host: 'localhost', address: '::1', otherAddresses: ['127.0.0.1'], port }) as const;

  it('finds its predecessor’s listener also when another of them comes first now', async () => {
    const web = former('web', '127.0.0.1');
    const { choice } = choiceAfter(web);
    const place = await choice.choose('web', localhost(web.port), defaults);
    places.push(place);
    expect(place).toMatchObject({ inherited: true, address: { address: '127.0.0.1' } });
  });

  it('takes the first where there are both', async () => {
    const four = former('web', '127.0.0.1');
    const six = former('six', '::1', four.port);
    const { choice } = choiceAfter(four, six);
    const place = await choice.choose('web', localhost(four.port), defaults);
    places.push(place);
    expect(place).toMatchObject({ inherited: true, address: { address: '::1' } });
  });

  it('takes no listener of another name for it: that address may be asked for by itself', async () => {
    const admin = former('admin', '127.0.0.1');
    const { choice } = choiceAfter(admin);
    const place = await choice.choose('web', localhost(admin.port), defaults);
    places.push(place);
    expect(place.inherited).toBe(false);
    expect((await choose(choice, 'admin', { host: '127.0.0.1', port: admin.port })).inherited).toBe(true);
  });
});

describe('giving back', () => {
  it('what was inherited is the predecessor’s again, and what is new is not', async () => {
    const web = former('web', '127.0.0.1');
    const { choice, received } = choiceAfter(web);
    const inherited = await choose(choice, 'mine', { host: '127.0.0.1', port: web.port });
    const fresh = await choose(choice, 'fresh', { host: '127.0.0.1', port: 0 });
    expect([inherited, fresh].map((place) => choice.putBack(place))).toEqual([true, false]);
    expect(inherited.closed).toBe(true);
    expect(received.unclaimed.map(({ name }) => name)).toEqual(['web']);
    expect((await choose(choice, 'web', { host: '127.0.0.1', port: web.port })).inherited).toBe(true);
  });
});
