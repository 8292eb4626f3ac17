import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { getCloseOnExec, pipe, setCloseOnExec } from '../../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { socketPair } from '../../../../lib/fd/socket.ts';
import {
  channelVariable,
  forgetPredecessors,
  ordinalVariable,
  preflightVariable,
  readPreflight,
  stderrReaderVariable,
  stderrVariable,
  takeInheritedChannel,
  takeWorkerChannel,
  workerVariable,
} from '../../../../lib/process/start/environment.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';

let descriptors: DescriptorCheck;
let control: number;
let lane: number;
let ends: OwnedFd[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  const pairs = [socketPair(), socketPair()] as const;
  [control, lane] = [pairs[0][0], pairs[1][0]];
  ends = pairs.map(([, other]) => new OwnedFd(other, 'the other end'));
  for (const fd of [control, lane]) setCloseOnExec(fd, false);
});
afterEach(async () => {
  for (const end of ends) end.close();
  await descriptors[Symbol.asyncDispose]();
});

describe('a rehearsal', () => {
  beforeEach(() => {
    for (const fd of [control, lane]) ends.push(new OwnedFd(fd, 'not used'));
  });

  it('is known by the number of its connection, which stays until the other variables go, too', () => {
    const environment = { [preflightVariable]: '3', [channelVariable]: '4,5', FD_HANDOFF_REEXEC: '6', OTHER: 'kept' };
    expect([readPreflight(environment), readPreflight(environment), readPreflight({})]).toEqual([3, 3, null]);
    forgetPredecessors(environment);
    expect(environment).toEqual({ OTHER: 'kept' });
  });

  it.each(['', 'x', '3,4', '-1'])('by hand: "%s"', (value) => {
    expect(() => readPreflight({ [preflightVariable]: value })).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_PROTOCOL', message: expect.stringContaining(preflightVariable) }),
    );
  });
});

describe('what a spawned successor inherits', () => {
  it('is nothing where nobody set the variables', () => {
    expect(takeInheritedChannel({})).toBeNull();
    ends.push(new OwnedFd(control, 'control'), new OwnedFd(lane, 'lane'));
  });

  it('is taken with close-on-exec, and the variables are removed as soon as they are read', () => {
    const [reader, writer] = pipe();
    const environment = {
      [channelVariable]: `${control},${lane}`,
      [stderrVariable]: `${writer}`,
      [stderrReaderVariable]: `${reader}`,
      OTHER: 'kept',
    };
    const taken = takeInheritedChannel(environment);
    expect(environment).toEqual({ OTHER: 'kept' });
    const owned = [taken?.control, taken?.lane, taken?.stderr?.real, taken?.stderr?.reader];
    expect(owned.map((descriptor) => descriptor?.fd)).toEqual([control, lane, writer, reader]);
    expect([control, lane, writer, reader].every(getCloseOnExec)).toBe(true);
    expect(takeInheritedChannel(environment)).toBeNull();
    for (const descriptor of owned) descriptor?.close();
  });

  it('waits for the call of handoff() that it is for, with the variables removed at once', () => {
    const environment = { [channelVariable]: `${control},${lane}`, [ordinalVariable]: '1', OTHER: 'kept' };
    expect(takeInheritedChannel(environment, 0)).toBeNull();
    expect(environment).toEqual({ OTHER: 'kept' });
    const taken = takeInheritedChannel(environment, 1);
    expect([taken?.control.fd, taken?.lane.fd]).toEqual([control, lane]);
    expect(takeInheritedChannel(environment, 1)).toBeNull();
    taken?.control.close();
    taken?.lane.close();
  });

  it("is told a cluster's worker by a variable of its own, which a successor does not take", () => {
    const environment = { [workerVariable]: `${control},${lane}`, OTHER: 'kept' };
    expect(takeInheritedChannel(environment)).toBeNull();
    const taken = takeWorkerChannel(environment);
    expect(environment).toEqual({ OTHER: 'kept' });
    expect([taken?.control.fd, taken?.lane.fd, taken?.stderr]).toEqual([control, lane, null]);
    expect([control, lane].every(getCloseOnExec)).toBe(true);
    expect(takeWorkerChannel(environment)).toBeNull();
    for (const descriptor of [taken?.control, taken?.lane]) descriptor?.close();
    expect(() => takeWorkerChannel({ [workerVariable]: 'x' })).toThrow(/FD_HANDOFF_WORKER is "x"/);
  });

  it('closes the listeners that a program without the library would have used', () => {
    const [reader, writer] = pipe();
    ends.push(new OwnedFd(reader, 'reader'));
    const environment = {
      [channelVariable]: `${control},${lane}`,
      FD_HANDOFF_READY_FD: `${writer}`,
      LISTEN_FDS: '0',
      LISTEN_FDNAMES: '',
      LISTEN_PID: '1',
    };
    const taken = takeInheritedChannel(environment);
    expect(environment).toEqual({});
    expect(existsSync(`/proc/self/fd/${writer}`)).toBe(false);
    taken?.control.close();
    taken?.lane.close();
  });

  it.each(['', 'x', '3', '3,', '3,4,5', '-1,4', '3 4', '3,four', '3,99999999999', '0x3,4'])(
    'set by hand to "%s" is an error that says so, and is removed',
    (value) => {
      ends.push(new OwnedFd(control, 'control'), new OwnedFd(lane, 'lane'));
      const environment = { [channelVariable]: value };
      expect(() => takeInheritedChannel(environment)).toThrow(
        expect.objectContaining({ code: 'ERR_HANDOFF_PROTOCOL', message: expect.stringContaining(channelVariable) }),
      );
      expect(environment).toEqual({});
    },
  );

  it('numbers that are not open are an error, and what is open is not kept', () => {
    ends.push(new OwnedFd(lane, 'lane'));
    expect(() => takeInheritedChannel({ [channelVariable]: `${control},${2 ** 20 - 1}` })).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_PROTOCOL' }),
    );
    expect(existsSync(`/proc/self/fd/${control}`)).toBe(false);
  });
});
