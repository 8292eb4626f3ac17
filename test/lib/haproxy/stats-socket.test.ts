import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { close, pipe } from '../../../lib/fd/descriptor.ts';
import { receiveMessage, sendMessage } from '../../../lib/fd/message.ts';
import { accept, bindUnix, listen } from '../../../lib/fd/socket.ts';
import { StatsSocket } from '../../../lib/haproxy/stats-socket.ts';
import { eventually } from '../../support/eventually.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let path: string;
let listener: number;
beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  path = folder.file('stats.sock');
  listener = bindUnix(path);
  listen(listener, 1);
});
afterEach(async () => {
  close(listener);
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

async function connected(): Promise<StatsSocket> {
  return (await StatsSocket.connect(path, never)) as StatsSocket;
}

/** What HAProxy does with a question: `answer` gets the connection and its first line. */
async function answering(answer: (connection: number, line: string) => void | Promise<void>): Promise<void> {
  const connection = accept(listener) as number;
  let line = '';
  await eventually(() => {
    line = receiveMessage(connection, 1024, 0)?.data.toString() ?? '';
    return line !== '';
  });
  await answer(connection, line);
  close(connection);
}

function count(number: number): Uint8Array {
  return new Uint8Array(Int32Array.of(number).buffer);
}

describe('a stats socket', () => {
  it('answers with a text', async () => {
    using stats = await connected();
    const asked = stats.ask('show info');
    await answering((connection, line) => {
      expect(line).toBe('show info\n');
      sendMessage(connection, Buffer.from('Name: HAProxy\n'));
      sendMessage(connection, Buffer.from('Pid: 7\n'));
    });
    expect(await asked).toBe('Name: HAProxy\nPid: 7\n');
  });

  it('gives sockets in several messages, and waits for each to be confirmed', async () => {
    using stats = await connected();
    const taking = stats.takeSockets();
    const given = pipe();
    await answering(async (connection, line) => {
      expect(line).toBe('_getsocks\n');
      sendMessage(connection, count(2));
      for (const [index, fd] of given.entries()) {
        sendMessage(connection, new Uint8Array(6), [fd]);
        let confirmed: Buffer | undefined;
        await eventually(() => {
          confirmed = receiveMessage(connection, 4, 0)?.data;
          return confirmed !== undefined;
        });
        expect(confirmed).toEqual(Buffer.from(count(index + 1)));
      }
    });
    const taken = await taking;
    expect(taken).toHaveLength(2);
    for (const descriptor of taken) descriptor.close();
    for (const fd of given) close(fd);
  });

  it('that gives fewer than it has said: what came is closed', async () => {
    using stats = await connected();
    const taking = stats.takeSockets();
    const given = pipe();
    await answering((connection) => {
      sendMessage(connection, count(2));
      sendMessage(connection, new Uint8Array(6), [given[0]]);
    });
    await expect(taking).rejects.toMatchObject({ code: 'ERR_HANDOFF_TRUNCATED' });
    for (const fd of given) close(fd);
  });

  it.each(['Permission denied\n', ''])('that gives none says what its line needs: %j', async (text) => {
    using stats = await connected();
    const taking = stats.takeSockets();
    await answering((connection) => {
      if (text !== '') sendMessage(connection, Buffer.from(text));
    });
    await expect(taking).rejects.toMatchObject({
      code: 'ERR_HANDOFF_REFUSED',
      message: expect.stringContaining('expose-fd listeners'),
    });
  });

  it('is waited for no longer than the signal allows', async () => {
    const limit = AbortSignal.timeout(50);
    using stats = (await StatsSocket.connect(path, limit)) as StatsSocket;
    await expect(stats.ask('show info')).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    close(accept(listener) as number);
  });

  it('is nobody’s where nobody listens', async () => {
    expect(await StatsSocket.connect(folder.file('nobody.sock'), never)).toBeNull();
  });
});
