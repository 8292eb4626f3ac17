import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Frame } from '../../../lib/channel/frame.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import {
  type Arriving,
  ConnectionSender,
  type Departing,
  receiveConnections,
} from '../../../lib/transaction/connection-transfer.ts';
import { FileDescriptors } from '../../support/file-descriptors.ts';
import { Meeting } from '../../support/meeting.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let meeting: Meeting;
let files: FileDescriptors;
let connections: Departing[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  meeting = new Meeting();
  // To those who send it, a connection is a descriptor.
  files = new FileDescriptors(folder, 4);
  connections = files.fds.map((fd, index) => ({
    route: `route-${index}`,
    fd,
    head: Buffer.from(`head ${index}`),
    data: { index },
    remote: null,
  }));
});

afterEach(async () => {
  meeting[Symbol.dispose]();
  files[Symbol.dispose]();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

/** The frames that announce batches, in the order in which they come. */
class Announcements {
  readonly #come: Frame[] = [];
  readonly #awaited: ((frame: Frame) => void)[] = [];

  constructor() {
    meeting.receiving.control.on('CONNECTIONS', (frame) => {
      const awaited = this.#awaited.shift();
      if (awaited === undefined) this.#come.push(frame);
      else awaited(frame);
    });
  }

  next(): Promise<Frame> {
    const come = this.#come.shift();
    return come === undefined ? new Promise((resolve) => this.#awaited.push(resolve)) : Promise.resolve(come);
  }

  /** Takes the next batch and says RECEIVED, and nothing yet of who serves it. */
  async receive(): Promise<number[]> {
    const { payload } = await this.next();
    const entries = payload.entries as { id: number }[];
    OwnedFd.closeAll(meeting.receiving.takeBatchOf(entries.length));
    meeting.receiving.control.send('RECEIVED', { count: entries.length });
    return entries.map(({ id }) => id);
  }
}

/** Sends `batch`; `received` resolves when the next one may follow. */
function send(sender: ConnectionSender, batch: readonly Departing[]) {
  let adopted = Promise.resolve(new Set<Departing>());
  const received = new Promise<void>((resolve) => {
    adopted = sender.send(batch, resolve);
  });
  return { received, adopted };
}

/** Sends two batches of two. The successor has received both, and has said of none who serves it. */
async function sendTwo() {
  const announcements = new Announcements();
  const sender = new ConnectionSender(meeting.sending);
  const batches = [];
  for (const batch of [connections.slice(0, 2), connections.slice(2)]) {
    const { received, adopted } = send(sender, batch);
    const ids = await announcements.receive();
    await received;
    batches.push({ ids, adopted });
  }
  const [first, second] = batches as [(typeof batches)[0], (typeof batches)[0]];
  return { first, second };
}

describe('established connections on their way', () => {
  it('arrive in their order, each with what was read of it and said of it', async () => {
    const announcements = new Announcements();
    const { adopted } = send(new ConnectionSender(meeting.sending), connections);
    const arrived: Arriving[] = [];
    receiveConnections(meeting.receiving, await announcements.next(), (arriving) => {
      arrived.push(arriving);
      return arriving.route !== 'route-1';
    });
    expect(await adopted).toEqual(new Set(connections.filter(({ route }) => route !== 'route-1')));
    expect(arrived.map(({ route, head, data }) => [route, head.toString(), data])).toEqual(
      connections.map(({ route, head, data }) => [route, head.toString(), data]),
    );
    // What is refused was closed by the one who asked.
    const [first, refused, ...others] = arrived.map(({ descriptor }) => descriptor) as [OwnedFd, OwnedFd, ...OwnedFd[]];
    expect(refused.closed).toBe(true);
    expect(files.order([first, ...others])).toEqual([0, 2, 3]);
    OwnedFd.closeAll([first, ...others]);
  });

  it('may be followed by the next batch while they are adopted; the answers are for the batches in their order', async () => {
    const { first, second } = await sendTwo();
    meeting.receiving.control.send('ADOPTED', { ids: first.ids.slice(1) });
    expect(await first.adopted).toEqual(new Set(connections.slice(1, 2)));
    meeting.receiving.control.send('ADOPTED', { ids: [...second.ids, 4711] });
    expect(await second.adopted).toEqual(new Set(connections.slice(2)));
  });

  it('belong to the one who has answered for them, though it was not asked for them first', async () => {
    const { first, second } = await sendTwo();
    meeting.receiving.control.send('ADOPTED', { ids: second.ids });
    expect(await second.adopted).toEqual(new Set(connections.slice(2)));
    meeting.receiving.control.send('ADOPTED', { ids: first.ids });
    expect(await first.adopted).toEqual(new Set(connections.slice(0, 2)));
    // An answer for nothing is for nobody.
    meeting.receiving.control.send('ADOPTED', { ids: first.ids });
    meeting.receiving[Symbol.dispose]();
    await meeting.sending.control.closed;
  });

  it('are all ours where the successor dies before it has answered for them, on the lane or not', async () => {
    const announcements = new Announcements();
    const sender = new ConnectionSender(meeting.sending);
    const batches = connections.slice(0, 3).map((connection) => [connection]);
    const first = send(sender, batches[0] as Departing[]);
    const firstIds = await announcements.receive();
    const second = send(sender, batches[1] as Departing[]);
    await announcements.receive();
    await second.received;
    const third = send(sender, batches[2] as Departing[]);
    meeting.receiving.control.send('ADOPTED', { ids: firstIds });
    await first.adopted;
    meeting.receiving[Symbol.dispose]();
    expect(await first.adopted).toEqual(new Set(batches[0]));
    expect(await second.adopted).toEqual(new Set());
    expect(await third.adopted).toEqual(new Set());
    expect(await sender.send(connections, () => {})).toEqual(new Set());
  });

  it('have arrived where they are adopted, if the successor says so or not', async () => {
    const announcements = new Announcements();
    const sender = new ConnectionSender(meeting.sending);
    const first = send(sender, connections.slice(0, 2));
    const { payload } = await announcements.next();
    OwnedFd.closeAll(meeting.receiving.takeBatchOf(2));
    const [one, other] = payload.entries as [{ id: number }, { id: number }];
    meeting.receiving.control.send('ADOPTED', { ids: [one.id, other.id] });
    await first.received;
    expect(await first.adopted).toEqual(new Set(connections.slice(0, 2)));
    const second = send(sender, connections.slice(2));
    await announcements.receive();
    await second.received;
    meeting.receiving[Symbol.dispose]();
    expect(await second.adopted).toEqual(new Set());
  });
});
