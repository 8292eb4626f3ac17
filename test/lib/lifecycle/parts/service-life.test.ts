import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindTcp, bindUdp, listen } from '../../../../lib/fd/socket.ts';
import type { PhaseName } from '../../../../lib/lifecycle/decision/state.ts';
import { ServiceLife } from '../../../../lib/lifecycle/parts/service-life.ts';
import type { Meeting } from '../../../../lib/meeting/meeting.ts';
import { Estate } from '../../../../lib/servers/index.ts';
import { Service } from '../../../../lib/systemd/service.ts';
import { NotifyReceiver } from '../../../support/notify-receiver.ts';

let receiver: NotifyReceiver;
let service: Service;
let estate: Estate;

beforeEach(() => {
  receiver = new NotifyReceiver();
  service = Service.take('where-offered', { NOTIFY_SOCKET: receiver.path, FDSTORE: '8' }) as Service;
  estate = new Estate(null);
});

afterEach(() => {
  service[Symbol.dispose]();
  estate.close();
  receiver[Symbol.dispose]();
});

function living(keepsAll = false): ServiceLife {
  const life = new ServiceLife({ service, estate, generation: 3, keepsAll, report: () => {} });
  life.begin({ is: 'fresh', control: null, passed: [] }, 60_000);
  return life;
}

/** One that serves; what it has said so far is read. */
function serving(): ServiceLife {
  const life = living();
  life.entered('starting', 'taking-over');
  life.entered('taking-over', 'serving');
  life.ready(true, []);
  receiver.read();
  return life;
}

/** What was said, without the texts and the asking for time. */
function said(): string[] {
  const texts = ['STATUS', 'EXTEND_TIMEOUT_USEC', 'MONOTONIC_USEC'];
  return receiver.tags().map((tags) =>
    Object.keys(tags)
      .filter((name) => !texts.includes(name))
      .join('+'),
  );
}

describe('the phases of an owner', () => {
  it.each<[string, PhaseName[], string[]]>([
    ['a stop', ['shutting-down', 'left'], ['STOPPING']],
    ['a stop that is announced', ['announcing', 'shutting-down'], ['', 'STOPPING']],
    ['a pause', ['paused', 'serving'], ['', 'RELOADING', 'READY']],
    ['an exec that fails', ['draining-in-place', 'serving'], ['RELOADING', 'READY']],
  ])('%s', (_what, phases, messages) => {
    const life = serving();
    let from: PhaseName = 'serving';
    for (const phase of phases) {
      life.entered(from, phase);
      from = phase;
    }
    expect(said()).toEqual(messages);
  });

  it('a replacement that fails, and then one that was not even begun', () => {
    const life = serving();
    life.offering('replace');
    life.entered('serving', 'offering');
    const error = new Error('it was not good\nat all');
    life.rolledBack(error);
    life.entered('offering', 'serving');
    // The signal's handler gets the same error.
    life.declined(error);
    expect(receiver.tags()).toMatchObject([
      { RELOADING: '1' },
      { READY: '1', STATUS: 'Serving, generation 3; the last replacement failed: it was not good at all' },
    ]);
    life.declined(new Error('vetoed'));
    expect(receiver.tags()).toMatchObject([
      { RELOADING: '1' },
      { READY: '1', STATUS: 'Serving, generation 3; the last replacement failed: vetoed' },
    ]);
  });

  it('those who come to share are no reload', () => {
    const life = serving();
    life.offering('share');
    life.entered('serving', 'offering');
    life.entered('offering', 'serving');
    expect(said()).toEqual([]);
  });

  it('who leaves the service to one beside it says that, and nothing of a stop', async () => {
    const life = serving();
    life.besides(process.pid);
    life.entered('serving', 'shutting-down');
    expect(said()).toEqual([]);
    const leaving = life.leave();
    expect(said()).toEqual(['MAINPID', 'BARRIER']);
    await leaving;
  });
});

describe('a commit', () => {
  const meeting = (pid: number, details: object) => ({ pid, how: 'channel', spawned: null, ...details }) as Meeting;

  it('to a child: it speaks for itself', () => {
    serving().committed(meeting(process.pid, { spawned: {} }));
    expect(said()).toEqual(['MAINPID', 'BARRIER']);
  });

  it('to one of the same service that came by itself, or knows nothing of this: READY=1 is said for it', () => {
    serving().committed(meeting(process.pid, {}));
    expect(said()).toEqual(['MAINPID+READY', 'BARRIER']);
  });

  it('to one of another service: the manager would not take it, and this service ends', () => {
    // A process that is in no control group any more is in no other either.
    serving().committed(meeting(2 ** 30, {}));
    expect(said()).toEqual(['STOPPING']);
  });
});

describe('what is kept', () => {
  it('are listeners and datagram sockets, and other descriptors where asked', async () => {
    const made: OwnedFd[] = [];
    for (const fd of [bindTcp('127.0.0.1', 0), bindTcp('127.0.0.1', 0), bindUdp('127.0.0.1', 0)])
      made.push(new OwnedFd(fd));
    const [listener, bound, datagrams] = made as [OwnedFd, OwnedFd, OwnedFd];
    listen(listener.fd);
    for (const [name, descriptor] of Object.entries({ listener, bound, datagrams })) {
      await estate.descriptor(name, () => descriptor);
    }
    const life = living();
    life.entered('taking-over', 'serving');
    receiver.read();
    life.ready(true, []);
    expect(receiver.tags().map(({ FDNAME, READY }) => FDNAME ?? READY)).toEqual(['listener', 'datagrams', '1']);
    // Who keeps them goes along with them.
    expect(estate.descriptors.map(({ name, notes }) => [name, notes?.keeper !== undefined])).toEqual([
      ['listener', true],
      ['bound', false],
      ['datagrams', true],
    ]);
    life.keep();
    expect(receiver.tags()).toEqual([]);
    const keepingAll = living(true);
    keepingAll.entered('taking-over', 'serving');
    keepingAll.keep();
    expect(receiver.tags().filter(({ FDNAME }) => FDNAME !== undefined)).toMatchObject([{ FDNAME: 'bound' }]);
  });

  it('is let go of when the application closes it, unless another process serves with it as well', async () => {
    const descriptor = new OwnedFd(bindTcp('127.0.0.1', 0));
    listen(descriptor.fd);
    let name = 'web';
    const changing = {
      get descriptors() {
        return [{ name, fd: descriptor.fd }];
      },
      keeperOf: () => null,
      keptBy: () => {},
    };
    const life = new ServiceLife({
      service,
      estate: changing as unknown as Estate,
      generation: 0,
      keepsAll: false,
      report: () => {},
    });
    life.begin({ is: 'fresh', control: null, passed: [] }, 60_000);
    life.entered('taking-over', 'serving');
    life.ready(true, []);
    receiver.read();
    name = 'other';
    life.besides(process.pid);
    expect(receiver.tags()).toEqual([]);
    life.besides(null);
    expect(receiver.tags()).toMatchObject([
      { FDSTOREREMOVE: '1', FDNAME: 'web' },
      { FDSTORE: '1', FDNAME: 'other' },
    ]);
    descriptor.close();
  });

  it('is let go of where this version has no use for it', () => {
    const life = living();
    receiver.read();
    const keeper = { service: service.controlGroup, name: 'former' };
    life.ready(true, [
      { name: 'former', kind: 'listener', keeper },
      { name: 'unkept', kind: 'listener' },
    ]);
    expect(receiver.tags().map(({ FDSTOREREMOVE, FDNAME, READY }) => [FDSTOREREMOVE, FDNAME, READY])).toEqual([
      ['1', 'former', undefined],
      [undefined, undefined, '1'],
    ]);
  });
});

it('without a manager nothing is said, and environments stay what they are', async () => {
  const life = new ServiceLife({ service: null, estate, generation: 0, keepsAll: false, report: () => {} });
  const environment = { PATH: '/bin' };
  life.begin({ is: 'fresh', control: null, passed: [] }, 60_000);
  life.ready(true, []);
  life.entered('serving', 'shutting-down');
  await life.leave();
  expect(life.environmentAfterExec(environment)).toBe(environment);
  expect(receiver.tags()).toEqual([]);
});

describe('what is seldom', () => {
  it('a takeover from a process of another service: this one is the main process from the start', () => {
    const life = new ServiceLife({ service, estate, generation: 1, keepsAll: false, report: () => {} });
    // No process has that number, and so none of this service.
    const takeover = { predecessor: { pid: 2 ** 30, generation: 0 } };
    life.begin({ is: 'takeover', spawned: false, takeover, stderr: null, passed: [] } as never, 60_000);
    expect(service.isMain).toBe(true);
    // It was started by itself, and what stands in its environment is for the image that follows.
    expect(life.environmentAfterExec({ A: 'b' })).toMatchObject({ A: 'b', NOTIFY_SOCKET: receiver.path });
  });

  it('a spawned successor says nothing', () => {
    const life = new ServiceLife({ service, estate, generation: 1, keepsAll: false, report: () => {} });
    life.begin({ is: 'takeover', spawned: true, takeover: {}, stderr: null, passed: [] } as never, 60_000);
    expect(service.isMain).toBe(false);
    expect(life.environmentAfterExec({ A: 'b' })).toEqual({ A: 'b' });
    expect(said()).toEqual([]);
  });

  it('a preflight that fails is a reload', () => {
    const life = serving();
    life.entered('serving', 'rehearsing');
    life.entered('rehearsing', 'serving');
    expect(said()).toEqual(['RELOADING', 'READY']);
  });

  it('what was thrown at a signal, and is no error, is told as it is', () => {
    const life = serving();
    life.declined('not now');
    expect(receiver.tags().at(-1)).toMatchObject({ STATUS: expect.stringContaining('failed: not now') });
  });

  it('a failure while this process serves is told at once', () => {
    const life = serving();
    life.rolledBack(new Error('it died'));
    expect(receiver.tags()).toMatchObject([{ STATUS: 'Serving, generation 3; the last replacement failed: it died' }]);
  });

  it('beside an owner a process says only that it serves', () => {
    const life = living();
    life.entered('starting', 'taking-over');
    life.entered('taking-over', 'serving');
    receiver.read();
    life.ready(false, []);
    expect(receiver.tags().at(-1)).toMatchObject({ STATUS: 'Serving, generation 3' });
  });
});
