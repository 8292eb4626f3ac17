import type { ChildProcess } from 'node:child_process';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { socketPair } from '../../../lib/fd/socket.ts';
import { introductionLine } from '../../../lib/transaction/rehearsed-inheritance.ts';
import { libraryFile, type Outcome, outcome, startScript, typescriptOptions } from '../../support/child-script.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

const number = 3;

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let ours: net.Socket;
let theirs: OwnedFd;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  const [one, other] = socketPair();
  ours = new net.Socket({ fd: one });
  ours.on('error', () => {});
  theirs = new OwnedFd(other, 'the end of a rehearsal');
});
afterEach(async () => {
  ours.destroy();
  theirs.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

/** A process that is told by its environment that it is a rehearsal. */
function start(script: string, env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = startScript(script, {
    env: { ...process.env, FD_HANDOFF_PREFLIGHT: String(number), ...env },
    stdio: ['ignore', 'pipe', 'pipe', theirs.fd],
  });
  theirs.close();
  return child;
}

async function said(child: ChildProcess): Promise<Outcome & { newline: boolean }> {
  let newline = false;
  ours.on('data', (data: Buffer) => {
    newline ||= data.includes('\n');
  });
  return { ...(await outcome(child)), newline };
}

const useLibrary = `import { handoff } from ${libraryFile('index.ts')}; import http from 'node:http'; import { readdirSync } from 'node:fs';`;

describe('a rehearsal', () => {
  it('finds no predecessor, touches no path, gets to ready() and leaves with 0', async () => {
    const control = folder.file('control.sock');
    ours.write(introductionLine(4, []));
    const result = await said(
      start(
        `${useLibrary}
        const app = await handoff({ control: ${JSON.stringify(control)} });
        const { address, port, inherited } = await app.listen(http.createServer(), { port: 1, host: '127.0.0.1' });
        const log = await app.descriptor('log', () => { throw new Error('opened'); });
        const restored = await app.state('counter', { save: () => 1, restore: () => { throw new Error('restored'); } });
        const { generation, predecessor, rehearsal } = app;
        const variables = Object.keys(process.env).filter((name) => name.startsWith('FD_HANDOFF_'));
        console.log(JSON.stringify({ address, port, inherited, log: log > 2, restored, generation, predecessor, rehearsal, variables, files: readdirSync(${JSON.stringify(folder.path)}) }));
        await app.ready();
        console.log('never');
      `,
        // The last one is of the tests themselves, and says how much of the fault matrix to run.
        { FD_HANDOFF_CHANNEL: '8,9', FD_HANDOFF_REEXEC: '7', FD_HANDOFF_READY_FD: '6', FD_HANDOFF_FAULTS: undefined },
      ),
    );
    expect(result).toMatchObject({ code: 0, newline: true });
    expect(JSON.parse(result.stdout)).toEqual({
      address: '127.0.0.1',
      port: 1,
      inherited: false,
      log: true,
      restored: false,
      generation: 5,
      predecessor: { pid: process.pid, generation: 4 },
      rehearsal: true,
      variables: [],
      files: [],
    });
  });

  it('whose predecessor is gone ends, also before it has called handoff()', async () => {
    const child = start(`${useLibrary} console.log('up'); setInterval(() => {}, 1000); await new Promise(() => {});`);
    child.stdout?.once('data', () => ours.destroy());
    expect(await said(child)).toMatchObject({ code: 1, newline: false });
  });

  it('is none in a process that it starts before handoff(): that fails, and takes nothing over', async () => {
    ours.write(introductionLine(0, []));
    const inner = `import { handoff } from ${libraryFile('index.ts')}; await handoff().catch(({ code }) => console.log(code));`;
    const result = await said(
      start(`${useLibrary}
        import { execFileSync } from 'node:child_process';
        const options = { stdio: ['ignore', 'pipe', 'inherit'] };
        const args = [...${JSON.stringify(typescriptOptions)}, '-e', ${JSON.stringify(inner)}];
        process.stdout.write(execFileSync(process.execPath, args, options));
        const app = await handoff();
        await app.ready();
      `),
    );
    expect(result).toMatchObject({ code: 0, newline: true, stdout: 'ERR_HANDOFF_PROTOCOL\n' });
  });

  it('that has nothing to do before ready() ends, and has failed', async () => {
    ours.write(introductionLine(0, []));
    expect(await said(start(`${useLibrary} await handoff();`))).toMatchObject({ code: 0, newline: false });
  });

  it('lasts for every handoff() of the process', async () => {
    ours.write(introductionLine(0, []));
    const result = await said(
      start(`${useLibrary}
        const apps = [await handoff(), await handoff({ control: ${JSON.stringify(folder.file('second.sock'))} })];
        console.log(apps.map(({ rehearsal }) => rehearsal).join());
        await apps[1].ready();
      `),
    );
    expect(result).toMatchObject({ code: 0, newline: true, stdout: 'true,true\n' });
  });

  it('leaves when it is told to stop, and does nothing else by signal', async () => {
    ours.write(introductionLine(0, []));
    const child = start(`${useLibrary}
      const app = await handoff();
      app.on('error', (error) => console.log(error.message));
      console.log('up');
      setInterval(() => {}, 1000);
    `);
    child.stdout?.once('data', () => {
      for (const signal of ['SIGHUP', 'SIGTERM'] as const) child.kill(signal);
    });
    expect(await said(child)).toMatchObject({ code: 1, signal: null, stdout: 'up\n', newline: false });
  });
});

describe('a variable that was set by hand', () => {
  it.each(['x', '-1', '99'])('to "%s" fails handoff(), not the import', async (value) => {
    const result = await said(
      start(
        `${useLibrary}
        console.log('imported');
        for (let call = 0; call < 2; call++) await handoff().catch(({ code, message }) => console.log(code, message));
      `,
        { FD_HANDOFF_PREFLIGHT: value },
      ),
    );
    expect(result.stdout).toMatch(
      new RegExp(`^imported\\n(ERR_HANDOFF_PROTOCOL .*FD_HANDOFF_PREFLIGHT is "${value}".*\\n){2}$`),
    );
  });

  it('to a connection with something else', async () => {
    ours.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    const result = await said(
      start(`${useLibrary} await handoff().catch(({ code }) => { console.log(code); process.exit(0); });`),
    );
    expect(result.stdout).toBe('ERR_HANDOFF_PROTOCOL\n');
  });
});
