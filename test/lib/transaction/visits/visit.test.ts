import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Deadline } from '../../../../lib/channel/deadline.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindUnix } from '../../../../lib/fd/socket.ts';
import { visit } from '../../../../lib/transaction/visits/visit.ts';
import { ControlStub } from '../../../support/control-stub.ts';
import { never } from '../../../support/never.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let path: string;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  path = folder.file('control.sock');
});

afterEach(async () => {
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

function failure(where = path, signal = never): Promise<unknown> {
  return visit(where, 'status', 'STATUS', signal).then(
    () => null,
    (error) => error,
  );
}

it('says what it has come for, without a lane, and resolves with the first answer', async () => {
  await using stub = await ControlStub.answering(path, ['STATUS', { pid: 7 }]);
  const { control, frame } = await visit(path, 'status', 'STATUS', never);
  expect(frame.payload).toEqual({ pid: 7 });
  expect(stub.heard).toMatchObject([{ name: 'HELLO', payload: { intent: 'status', pid: process.pid, token: null } }]);
  control.destroy();
  await control.closed;
});

it.each<[string, string, (path: string) => void, RegExp]>([
  ['nothing', 'ENOENT', () => {}, /is the path right/],
  ['a file', 'ENOTSOCK', (path) => writeFileSync(path, ''), /is not a socket/],
  ['a folder', 'ENOTSOCK', (path) => mkdirSync(path), /is not a socket/],
  [
    'a socket that its owner left',
    'ECONNREFUSED',
    (path) => new OwnedFd(bindUnix(path), 'a dead listener').close(),
    /left its file behind/,
  ],
])('%s at the path is %s, with what it means', async (_what, code, prepare, message) => {
  prepare(path);
  expect(await failure()).toMatchObject({ code, syscall: 'connect', path, message: expect.stringMatching(message) });
});

it('a datagram socket at the path is EPROTOTYPE', async () => {
  using _socket = new OwnedFd(bindUnix(path, { type: 'datagram' }), 'a datagram socket');
  expect(await failure()).toMatchObject({ code: 'EPROTOTYPE', message: expect.stringContaining('another kind') });
});

it('an abstract name that nobody has, and a path that is too long', async () => {
  const name = `@fd-handoff-test-${process.pid}`;
  expect(await failure(name)).toMatchObject({ code: 'ECONNREFUSED', message: `Nobody listens on ${name}.` });
  expect(await failure('x'.repeat(200))).toMatchObject({ code: 'ENAMETOOLONG' });
});

it('is refused with the code and message of who refuses', async () => {
  const payload = { code: 'ERR_HANDOFF_VERSION', message: 'Update the older of the two.' };
  await using _stub = await ControlStub.answering(path, ['REFUSED', payload]);
  expect(await failure()).toMatchObject(payload);
});

it('tells who speaks something else', async () => {
  await using _stub = await ControlStub.at(path, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  expect(await failure()).toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
});

it('comes again where it was turned away without a word, as by a process that is handing over', async () => {
  let visitors = 0;
  await using _stub = await ControlStub.at(path, (socket, stub) => {
    stub.onFrame(socket, () => {
      visitors++;
      if (visitors === 3) ControlStub.reply(socket, 'STATUS', { pid: 7 });
      else socket.destroy();
    });
  });
  const { control } = await visit(path, 'status', 'STATUS', never);
  expect(visitors).toBe(3);
  control.destroy();
  await control.closed;
});

it('gives up on one that turns everybody away', async () => {
  await using _stub = await ControlStub.at(path, (socket) => socket.destroy());
  expect(await failure()).toMatchObject({
    code: 'ERR_HANDOFF_PREDECESSOR_EXITED',
    message: expect.stringMatching(/10 times/),
  });
});

it('waits for one that is silent for as long as it may', async () => {
  await using _stub = await ControlStub.at(path, () => {});
  using deadline = Deadline.after(50, 'It has not answered');
  expect(await failure(path, deadline.signal)).toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
});
