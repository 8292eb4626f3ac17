import { closeSync, openSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HangUps, isByNohup } from '../../../lib/signals/hang-up.ts';
import type { ControllingTerminal } from '../../../lib/signals/terminal.ts';
import { libraryFile, runScript } from '../../support/child-script.ts';

let standing: boolean;
let hangUps: HangUps | null;

function watch(byNohup = false): HangUps {
  hangUps = new HangUps({ stands: () => standing } as ControllingTerminal, byNohup);
  return hangUps;
}

/** What a signal means that comes now; nothing else happens in the next tenth of a second. */
async function meaning(of: HangUps): Promise<string> {
  const meant = of.meaning();
  await vi.advanceTimersByTimeAsync(200);
  return meant;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  standing = true;
  hangUps = null;
});

afterEach(() => {
  hangUps?.[Symbol.dispose]();
  vi.useRealTimers();
});

it('a signal is an order where the terminal is there, and stays', async () => {
  expect(await meaning(watch())).toBe('order');
});

it.each([false, true])(
  'it is the terminal’s end where that is gone, or goes in the next moment (by nohup: %s)',
  async (byNohup) => {
    const expected = byNohup ? 'outlived' : 'terminal';
    standing = false;
    expect(await meaning(watch(byNohup))).toBe(expected);
    hangUps?.[Symbol.dispose]();
    standing = true;
    const going = watch(byNohup).meaning();
    await vi.advanceTimersByTimeAsync(50);
    standing = false;
    await vi.advanceTimersByTimeAsync(50);
    expect(await going).toBe(expected);
  },
);

it('the shell says to its jobs what the kernel has said: the same again in the next second', async () => {
  const of = watch();
  standing = false;
  await vi.advanceTimersByTimeAsync(1_000);
  await vi.advanceTimersByTimeAsync(700);
  expect(await meaning(of)).toBe('terminal');
});

it('a terminal that has been gone for a while explains nothing: the shell was told to forget this process', async () => {
  const of = watch();
  standing = false;
  await vi.advanceTimersByTimeAsync(2_001);
  expect(await meaning(of)).toBe('order');
  // Nor does it come back.
  standing = true;
  expect(await meaning(of)).toBe('order');
});

it('who is disposed of looks no more', () => {
  const of = watch();
  of[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
});

it('nohup is known by what it leaves: the word of the shell, or a standard input that cannot be read', async () => {
  const script = `
    import { isByNohup } from ${libraryFile('signals/hang-up.ts')};
    process.stdout.write(JSON.stringify([isByNohup({}), isByNohup({ _: '/usr/bin/nohup' }), isByNohup({ _: '/bin/node' })]));
  `;
  vi.useRealTimers();
  expect(JSON.parse((await runScript(script)).stdout)).toEqual([false, true, false]);
  const unreadable = openSync('/dev/null', 'w');
  expect(JSON.parse((await runScript(script, { stdio: [unreadable, 'pipe', 'pipe'] })).stdout)).toEqual([
    true,
    true,
    true,
  ]);
  closeSync(unreadable);
  expect(isByNohup({})).toBe(false);
});
