import { rmSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type DevOrder, DevSession } from '../../../../lib/cli/dev/dev-session.ts';
import { ControlStub } from '../../../support/control-stub.ts';
import { eventually } from '../../../support/eventually.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

/** A session of a shell script, and what it has said. */
class Session extends DevSession implements Disposable {
  readonly said: string[];
  readonly folder: TemporaryFolder;

  constructor(script: string, order: Partial<DevOrder> = {}) {
    const folder = new TemporaryFolder();
    const said: string[] = [];
    super({
      command: 'sh',
      args: ['-c', script],
      control: folder.file('control.sock'),
      environment: process.env,
      stopTimeout: 30_000,
      endsWithProgram: false,
      say: (_colour, text) => said.push(text),
      ...order,
    });
    this.said = said;
    this.folder = folder;
  }

  says(text: string, count = 1): Promise<void> {
    return eventually(
      () => this.said.filter((line) => line.includes(text)).length >= count,
      () => this.said,
    );
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

it('names three files of a change, and counts the rest', async () => {
  using session = new Session('exit 3');
  const over = session.run();
  await session.says('ended with code 3: nobody serves, waiting for a change');
  session.restart(['a.js', 'b.js']);
  await session.says('changed: a.js, b.js');
  // One that has not ended yet is ended, and that is not told.
  await session.says('ended with code 3', 2);
  session.restart(['a.js', 'b.js', 'c.js', 'd.js', 'e.js']);
  await session.says('changed: a.js, b.js, c.js and 2 more');
  await session.says('ended with code 3', 3);
  session.restart();
  await session.says('starting again');
  await session.says('ended with code 3', 4);
  session.stop('SIGTERM');
  // The last that was known of the program.
  expect(await over).toBe(3);
});

it('resolves with what the program ended by, as a shell has it', async () => {
  using session = new Session('kill -KILL $$', { endsWithProgram: true });
  expect(await session.run()).toBe(137);
});

it('rejects where the program cannot be started', async () => {
  using session = new Session('', { command: 'no-such-program' });
  await expect(session.run()).rejects.toMatchObject({ code: 'ERR_HANDOFF_EXEC_FAILED', exit: 'notFound' });
});

it('waits for a program that could be started, and is not there any more', async () => {
  using folder = new TemporaryFolder();
  const program = folder.file('program');
  const install = () => writeFileSync(program, '#!/bin/sh\nexit 3\n', { mode: 0o755 });
  install();
  using session = new Session('', { command: program, args: [] });
  const over = session.run();
  await session.says('ended with code 3');
  rmSync(program);
  session.restart(['program']);
  await session.says(`${program} cannot be started: `);
  install();
  session.restart(['program']);
  await session.says('ended with code 3', 2);
  session.stop('SIGTERM');
  expect(await over).toBe(3);
});

it('is over before it has begun where it is told so', async () => {
  using session = new Session('exit 3');
  const over = session.run();
  session.stop('SIGINT');
  expect(await over).toBe(0);
});

it('takes a silent process at the control path for one that serves, and ends nothing that might', async () => {
  using session = new Session('exec sleep 600');
  await using _silent = await ControlStub.at(session.folder.file('control.sock'), () => {});
  const over = session.run();
  session.restart(['a.js']);
  await session.says('changed: a.js');
  session.stop('SIGTERM');
  expect(await over).toBe(143);
});
