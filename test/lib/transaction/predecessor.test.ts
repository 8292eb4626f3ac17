import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HandoffError } from '../../../lib/fd/handoff-error.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../../lib/fd/socket.ts';
import { controlName, type NamedDescriptor, readyName } from '../../../lib/transaction/manifest.ts';
import { abortPayload, type Mode, type OfferPhase, Succession } from '../../../lib/transaction/predecessor.ts';
import type { SavedState } from '../../../lib/transaction/state.ts';
import type { PredecessorEnd } from '../../../lib/transaction/successor.ts';
import { FileDescriptors } from '../../support/file-descriptors.ts';
import { Meeting } from '../../support/meeting.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let meeting: Meeting;
let listener: OwnedFd;
/** One listener under a name, for the manifest. */
let web: NamedDescriptor;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  meeting = new Meeting();
  listener = new OwnedFd(bindTcp('127.0.0.1', 0), 'the listener of a test');
  listen(listener.fd, 8);
  web = { name: 'web', fd: listener.fd, notes: { backlog: 8 } };
});

afterEach(async () => {
  meeting[Symbol.dispose]();
  listener.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

/** What the signal of an offer aborts with when its time is over. */
const late = new HandoffError('ERR_HANDOFF_TIMEOUT', 'The successor was not ready.');

const phases: OfferPhase[] = ['welcomed', 'descriptors-received', 'state-sent', 'ready'];

function oneState(value: SavedState['value'] = { hits: 3 }) {
  return { states: [{ name: 'it', late: false }], saveStates: async () => [{ name: 'it', late: false, value }] };
}

describe('a whole handoff', () => {
  it.each<Mode>(['replace', 'keep', 'share'])('in mode %s', async (mode) => {
    const offered = meeting.offer({ mode, generation: 4, descriptors: [web], ...oneState() });
    const takeover = await meeting.takeOver();
    expect(takeover).toMatchObject({ mode, generation: 5, predecessor: { pid: process.pid, generation: 4 } });
    expect(takeover.unclaimed).toEqual([expect.objectContaining({ name: 'web', kind: 'listener', backlog: 8 })]);
    expect(takeover.state('it')).toEqual({ name: 'it', late: false, value: { hits: 3 } });
    expect(takeover.state('other')).toBeNull();

    const decision = takeover.announceReady(never);
    expect(await offered).toBe('');
    expect(meeting.phases).toEqual(phases);

    const unclaimed: string[][] = [];
    const succession = new Succession(meeting.candidate, (names) => unclaimed.push(names));
    succession.committed(1000, mode);
    expect(await decision).toBe('committed');
    const end = new Promise<PredecessorEnd>((resolve) =>
      takeover.settle({ onConnection: () => false, onLateState: async () => {}, onEnd: resolve }),
    );
    takeover.release();
    await succession.drained({ moved: 1 });
    expect(await end).toEqual({ how: 'drained', report: { moved: 1 } });
    // Beside an owner who goes on serving an unclaimed listener is nobody else's business.
    expect(unclaimed).toEqual(mode === 'replace' ? [['web']] : []);
    expect(await succession.departure).toBe('released');
  });

  it('with 200 descriptors and every kind of state', async () => {
    using files = new FileDescriptors(folder, 200);
    const large = Buffer.alloc(3 * 1024 * 1024, 'state');
    const saved: SavedState[] = [
      { name: 'json', late: false, value: { deep: [1, { null: null }] } },
      { name: 'bytes', late: false, value: Buffer.from([0, 255]) },
      { name: 'large', late: false, value: large },
    ];
    const offered = meeting.offer({
      descriptors: files.fds.map((fd, index) => ({ name: `file-${index}`, fd })),
      states: [...saved.map(({ name, late }) => ({ name, late })), { name: 'last', late: true }],
      saveStates: async () => saved,
    });
    const takeover = await meeting.takeOver();
    const received = files.fds.map((_, index) => takeover.take(`file-${index}`)?.descriptor as OwnedFd);
    expect(files.order(received)).toEqual(files.fds.map((_, index) => index));
    for (const descriptor of received) descriptor.close();
    expect(takeover.state('json')).toEqual(saved[0]);
    expect(takeover.state('bytes')).toEqual(saved[1]);
    const { value: stated } = takeover.state('large') as SavedState;
    expect((stated as Buffer).equals(large)).toBe(true);
    expect(takeover.state('last')).toBe('late');

    const decision = takeover.announceReady(never);
    await offered;
    const succession = new Succession(meeting.candidate, () => {});
    succession.committed(1000, 'replace');
    await decision;
    const arrived = new Promise<SavedState>((resolve) =>
      takeover.settle({ onConnection: () => false, onLateState: async (state) => resolve(state), onEnd: () => {} }),
    );
    await succession.lateStates([{ name: 'last', late: true, value: large }], never);
    const { name, value } = await arrived;
    expect([name, (value as Buffer).equals(large)]).toEqual(['last', true]);
    await succession.drained({});
    expect(await succession.departure).toBe('died');
  });

  it('gives the status text that stood before the newline', async () => {
    const offered = meeting.offer();
    const takeover = await meeting.takeOver();
    const ready = takeover.take(readyName);
    writeSync(ready?.descriptor.fd as number, 'caches are warm\n');
    expect(await offered).toBe('caches are warm');
    ready?.descriptor.close();
  });

  it('saves the state after the descriptors are over, and not before', async () => {
    let phasesAtSave: OfferPhase[] = [];
    const offered = meeting.offer({
      descriptors: [web],
      ...oneState(),
      saveStates: async () => {
        phasesAtSave = [...meeting.phases];
        return [{ name: 'it', late: false, value: 1 }];
      },
    });
    const takeover = await meeting.takeOver();
    const decision = takeover.announceReady(never);
    await offered;
    takeover[Symbol.dispose]();
    expect(await decision).toBe('orphaned');
    expect(phasesAtSave).toEqual(['welcomed', 'descriptors-received']);
  });

  it('hides the reserved names from whoever looks for listeners', async () => {
    const offered = meeting.offer({ descriptors: [web, { name: controlName, fd: listener.fd }] });
    const takeover = await meeting.takeOver();
    expect(takeover.unclaimed.map(({ name }) => name)).toEqual(['web']);
    expect(takeover.take(controlName)?.descriptor.close()).toBeUndefined();
    takeover.abort(new Error('enough seen'));
    await expect(offered).rejects.toThrow('enough seen');
  });
});

describe('called off by the predecessor', () => {
  it.each(phases.slice(0, 3))('at %s: the successor hears why, and the predecessor has changed nothing', async (at) => {
    const controller = new AbortController();
    const offered = meeting.offer({ descriptors: [web], ...oneState() }, controller.signal, (phase) => {
      if (phase === at) controller.abort(new Error('the operator changed his mind'));
    });
    const rejected = expect(offered).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    const taken = meeting.takeOver().then((takeover) => takeover.announceReady(never));
    await expect(taken).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    await rejected;
    expect(listener.closed).toBe(false);
  });

  it('by a save() that fails: its message arrives', async () => {
    const offered = meeting.offer({ saveStates: () => Promise.reject(new Error('the cache is gone')) });
    const rejected = expect(offered).rejects.toThrow('the cache is gone');
    const taken = meeting.takeOver().then((takeover) => takeover.announceReady(never));
    await expect(taken).rejects.toThrow('the cache is gone');
    await rejected;
  });

  it('by a save() that never ends', async () => {
    const deadline = new AbortController();
    const saveStates = () => {
      setImmediate(() => deadline.abort(late));
      return new Promise<never>(() => {});
    };
    const offered = meeting.offer({ saveStates }, deadline.signal);
    const rejected = expect(offered).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    const taken = meeting.takeOver().then((takeover) => takeover.announceReady(never));
    await expect(taken).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    await rejected;
  });

  it('by a descriptor that is not open', async () => {
    const offered = meeting.offer({ descriptors: [{ name: 'gone', fd: 2 ** 20 - 1 }] });
    const rejected = expect(offered).rejects.toMatchObject({ code: 'EBADF' });
    await expect(meeting.takeOver()).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    await rejected;
  });

  it('by its deadline, when the successor is late: a newline that nobody reads makes no second owner', async () => {
    const deadline = new AbortController();
    const offered = meeting.offer({ descriptors: [web] }, deadline.signal);
    const rejected = expect(offered).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    const takeover = await meeting.takeOver();
    deadline.abort(late);
    // It does not come to reading what it is told until it is ready itself.
    await rejected;
    await expect(takeover.announceReady(never)).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
  });
});

describe('called off by the successor', () => {
  it.each(phases.slice(0, 3))('at %s: its reason is ours', async (at) => {
    // The successor's words are sent by its bare control connection, so that they come at a stage of our choice.
    const { control } = meeting.receiving;
    const offered = meeting.offer({ descriptors: [web], ...oneState() }, never, (phase) => {
      if (phase === at) control.send('ABORT', { code: 'ERR_HANDOFF_DESCRIPTOR_MISMATCH', message: 'a wrong port' });
    });
    const rejected = expect(offered).rejects.toMatchObject({
      code: 'ERR_HANDOFF_DESCRIPTOR_MISMATCH',
      message: 'a wrong port',
    });
    const taken = meeting.takeOver().catch(() => null);
    await rejected;
    (await taken)?.[Symbol.dispose]();
  });

  it('by abort(), which closes everything that came', async () => {
    const offered = meeting.offer({ descriptors: [web] });
    const takeover = await meeting.takeOver();
    takeover.abort(new TypeError('the new version does not start'));
    await expect(offered).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
      message: 'the new version does not start',
    });
    expect(takeover.take('web')).toBeNull();
  });
});

describe('a successor that goes without a word', () => {
  it.each(phases.slice(0, 3))('at %s', async (at) => {
    const offered = meeting.offer({ descriptors: [web], ...oneState() }, never, (phase) => {
      if (phase === at) meeting.receiving[Symbol.dispose]();
    });
    const rejected = expect(offered).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
    const taken = meeting.takeOver().catch(() => null);
    await rejected;
    (await taken)?.[Symbol.dispose]();
  });

  it('in the middle of a large state', async () => {
    const offered = meeting.offer(oneState(Buffer.alloc(64 * 1024 * 1024)), never, (phase) => {
      if (phase === 'descriptors-received') setImmediate(() => meeting.receiving[Symbol.dispose]());
    });
    const rejected = expect(offered).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
    (await meeting.takeOver())[Symbol.dispose]();
    await rejected;
  });

  it('by closing its ready pipe alone', async () => {
    const offered = meeting.offer({ descriptors: [web] });
    const takeover = await meeting.takeOver();
    takeover.take(readyName)?.descriptor.close();
    await expect(offered).rejects.toMatchObject({
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
      message: expect.stringContaining('ready pipe'),
    });
    takeover[Symbol.dispose]();
  });

  it('after commit: the departure says so', async () => {
    const offered = meeting.offer();
    const takeover = await meeting.takeOver();
    const decision = takeover.announceReady(never);
    await offered;
    const succession = new Succession(meeting.candidate, () => {});
    succession.committed(1000, 'replace');
    await decision;
    takeover[Symbol.dispose]();
    expect(await succession.departure).toBe('died');
    succession[Symbol.dispose]();
  });

  it('after commit, with its lane open: only the connection has broken, and it lives', async () => {
    const succession = new Succession(meeting.candidate, () => {});
    meeting.receiving.control.destroy();
    await meeting.sending.control.closed;
    expect(await Promise.race([succession.departure, delay(50, 'nothing')])).toBe('nothing');
    meeting.receivingLane.close();
    expect(await succession.departure).toBe('died');
  });
});

describe('a successor that answers with what does not belong there', () => {
  it('another number of descriptors', async () => {
    const { control } = meeting.receiving;
    const offered = meeting.offer({ descriptors: [web] }, never, (phase) => {
      if (phase === 'welcomed') control.send('RECEIVED', { count: 7 });
    });
    const rejected = expect(offered).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    (await meeting.takeOver().catch(() => null))?.[Symbol.dispose]();
    await rejected;
  });

  it('a frame while it should warm up', async () => {
    const offered = meeting.offer();
    const takeover = await meeting.takeOver();
    meeting.receiving.control.send('ADOPTED', { ids: [] });
    await expect(offered).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    takeover[Symbol.dispose]();
  });

  it('names that are no names, when it tells what it has no use for', async () => {
    const named: string[][] = [];
    const succession = new Succession(meeting.candidate, (names) => named.push(names));
    meeting.receiving.control.send('UNCLAIMED', { names: [1] });
    meeting.receiving[Symbol.dispose]();
    expect(await succession.departure).toBe('died');
    expect(named).toEqual([]);
  });
});

it('ABORT carries our code, and a message of whatever was thrown', () => {
  expect(abortPayload(new TypeError('x'))).toEqual({ code: 'ERR_HANDOFF_ABORTED', message: 'x' });
  expect(abortPayload('thrown text')).toEqual({ code: 'ERR_HANDOFF_ABORTED', message: 'thrown text' });
});
