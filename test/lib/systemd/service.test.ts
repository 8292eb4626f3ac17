import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { bindTcp } from '../../../lib/fd/socket.ts';
import { Service, type StoreChoice, withServiceVariables } from '../../../lib/systemd/service.ts';
import { NotifyReceiver } from '../../support/notify-receiver.ts';

let receiver: NotifyReceiver;
let listener: OwnedFd;
let services: Service[];
let failures: Error[];

beforeEach(() => {
  receiver = new NotifyReceiver();
  listener = new OwnedFd(bindTcp('127.0.0.1', 0));
  services = [];
  failures = [];
});

afterEach(() => {
  for (const service of services) service[Symbol.dispose]();
  listener.close();
  receiver[Symbol.dispose]();
});

function take(variables: NodeJS.ProcessEnv = {}, choice: StoreChoice = 'where-offered'): Service {
  const service = Service.take(choice, { NOTIFY_SOCKET: receiver.path, ...variables });
  if (service === null) throw new Error('there is a manager');
  service.onFailure = (error) => failures.push(error);
  services.push(service);
  return service;
}

/** One that is the main process and serves; what it has said so far is read. */
function serving(variables: NodeJS.ProcessEnv = {}, choice?: StoreChoice): Service {
  const service = take(variables, choice);
  service.starting(60_000);
  service.serving('Serving');
  receiver.read();
  return service;
}

const nothing = () => {};

describe('the variables', () => {
  it('are removed, and put back for a successor alone', () => {
    const environment = {
      NOTIFY_SOCKET: receiver.path,
      WATCHDOG_USEC: '30000000',
      WATCHDOG_PID: String(process.pid),
      FDSTORE: '8',
      OTHER: 'stays',
    };
    services.push(Service.take('where-offered', environment) as Service);
    expect(environment).toEqual({ OTHER: 'stays' });
    // Without WATCHDOG_PID, which would be this process's.
    expect(withServiceVariables(environment)).toEqual({
      OTHER: 'stays',
      NOTIFY_SOCKET: receiver.path,
      WATCHDOG_USEC: '30000000',
      FDSTORE: '8',
    });
    expect(withServiceVariables({ NOTIFY_SOCKET: '/another' })).toMatchObject({ NOTIFY_SOCKET: '/another' });
  });

  it.each([{}, { NOTIFY_SOCKET: '' }])('say of no manager: %j', (environment) => {
    expect(Service.take('always', environment)).toBeNull();
  });

  it('say of a manager that cannot be reached: a warning, and the program runs', async () => {
    const warned = new Promise((resolve) => process.once('warning', resolve));
    expect(Service.take('always', { NOTIFY_SOCKET: 'vsock:2:1' })).toBeNull();
    expect(await warned).toMatchObject({ name: 'HandoffWarning', code: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM' });
  });
});

describe('a process that is not the main one', () => {
  it('says nothing at all', () => {
    const service = take({ WATCHDOG_USEC: '30000000', FDSTORE: '8' });
    service.serving('Serving');
    service.reloading('Reloading');
    service.reloaded('Serving');
    service.status('Well');
    service.handOver(1, true);
    service.takeBack('Serving');
    service.keep([{ name: 'web', fd: listener.fd }], () => null);
    service.release({ service: service.controlGroup, name: 'web' });
    service.stopping('Stopping');
    expect(receiver.tags()).toEqual([]);
  });

  it('becomes it when everything that was sent before is read, and has kept first what is to be kept', async () => {
    const service = take({ FDSTORE: '8' });
    const succeeding = service.succeed('Serving', () => service.keep([{ name: 'web', fd: listener.fd }], () => null));
    expect(receiver.tags().map((tags) => Object.keys(tags)[0])).toEqual(['FDSTORE', 'BARRIER']);
    await succeeding;
    expect(receiver.tags()).toEqual([{ MAINPID: String(process.pid), READY: '1', STATUS: 'Serving' }]);
  });

  it.each([
    ['is told to stop', (service: Service) => service.stopping('Stopping'), 'STOPPING'],
    ['hands over', (service: Service) => service.handOver(process.pid, true), 'MAINPID'],
    ['starts a replacement', (service: Service) => service.reloading('Replacing'), 'RELOADING'],
  ])('and %s before that is read does not say READY=1 after it', async (_what, act, said) => {
    const service = take();
    const succeeding = service.succeed('Serving', nothing);
    act(service);
    const tags = receiver.tags();
    await succeeding;
    tags.push(...receiver.tags());
    expect(tags.filter((each) => !('BARRIER' in each)).map((each) => Object.keys(each)[0])).toEqual([said]);
  });
});

describe('the main process', () => {
  it('tells when a reload begins, on the clock of the manager', () => {
    const service = serving();
    const before = process.hrtime.bigint() / 1_000n;
    service.reloading('Replacing');
    const after = process.hrtime.bigint() / 1_000n;
    const [{ RELOADING, MONOTONIC_USEC }] = receiver.tags() as [Record<string, string>];
    expect(RELOADING).toBe('1');
    expect(BigInt(MONOTONIC_USEC as string)).toBeGreaterThanOrEqual(before);
    expect(BigInt(MONOTONIC_USEC as string)).toBeLessThanOrEqual(after);
    service.reloaded('Serving');
    service.reloaded('Serving');
    expect(receiver.tags()).toEqual([{ READY: '1', STATUS: 'Serving' }]);
  });

  it('hands over, leaves when that is read, and is quiet from then on', async () => {
    const service = serving();
    service.handOver(4711, true);
    service.serving('Serving');
    service.stopping('Stopping');
    let left = false;
    const leaving = service.leave().then(() => {
      left = true;
    });
    await new Promise(setImmediate);
    expect(left).toBe(false);
    expect(receiver.tags()).toEqual([{ MAINPID: '4711', STATUS: 'Handed over to process 4711' }, { BARRIER: '1' }]);
    await leaving;
  });

  it('says READY=1 for one that may not, and takes the service back from one that died', () => {
    const service = serving();
    service.handOver(4711, false);
    expect(receiver.tags()[0]).toMatchObject({ MAINPID: '4711', READY: '1' });
    service.takeBack('Serving');
    expect(receiver.tags()).toEqual([{ MAINPID: String(process.pid), READY: '1', STATUS: 'Serving' }]);
  });
});

describe('what is kept', () => {
  it('goes into the store once, unless somebody keeps it for this service already', () => {
    const service = serving({ FDSTORE: '8' });
    const descriptors = ['web', 'unit', 'foreign'].map((name) => ({ name, fd: listener.fd }));
    const kept = service.keep(descriptors, (name) => {
      if (name === 'unit') return { service: service.controlGroup, name: 'foreign' };
      return name === 'foreign' ? { service: '/another.service', name: 'foreign' } : null;
    });
    expect([...kept]).toEqual([
      ['web', { service: service.controlGroup, name: 'web' }],
      ['foreign', { service: service.controlGroup, name: 'foreign#2' }],
    ]);
    expect(receiver.tags().map(({ FDNAME }) => FDNAME)).toEqual(['web', 'foreign#2']);
  });

  it.each([
    ['where-offered', {}, 0],
    ['where-offered', { FDSTORE: '0' }, 0],
    ['where-offered', { FDSTORE: '8' }, 1],
    ['always', {}, 1],
    ['never', { FDSTORE: '8' }, 0],
  ] as const)('%s, with %j: %d', (choice, variables, count) => {
    const service = serving(variables, choice);
    expect(service.keep([{ name: 'web', fd: listener.fd }], () => null).size).toBe(count);
    expect(receiver.tags()).toHaveLength(count);
  });

  it('is less than there is where the store is too small, and that is reported', () => {
    const service = serving({ FDSTORE: '1' });
    const descriptors = ['a', 'b'].map((name) => ({ name, fd: listener.fd }));
    expect([...service.keep(descriptors, () => null).keys()]).toEqual(['a']);
    expect(failures).toMatchObject([{ code: 'ERR_HANDOFF_REFUSED' }]);
  });

  it('is let go of, but not what another service keeps', () => {
    const service = serving();
    service.release({ service: '/another.service', name: 'web' });
    service.release({ service: service.controlGroup, name: 'web' });
    expect(receiver.tags()).toEqual([{ FDSTOREREMOVE: '1', FDNAME: 'web' }]);
  });
});
