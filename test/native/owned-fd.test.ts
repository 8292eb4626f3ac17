import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, getCloseOnExec, pipe } from '../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../lib/fd/owned-fd.ts';
import { closeLater, resultOf, runModule } from './support.ts';

test('an OwnedFd closes its descriptor exactly once', (t) => {
  const [read, write] = pipe();
  closeLater(t, write);
  const owned = new OwnedFd(read, 'reader');
  assert.equal(owned.fd, read);
  assert.equal(owned.closed, false);
  owned.close();
  assert.equal(owned.closed, true);
  assert.throws(() => getCloseOnExec(read), { code: 'EBADF' });
  // The number may be somebody else's by now: closing again must not touch it.
  const [next] = closeLater(t, pipe());
  assert.equal(next, read);
  owned.close();
  owned[Symbol.dispose]();
  assert.equal(getCloseOnExec(next), true);
  assert.throws(() => owned.fd, { message: `descriptor ${read} (reader) is closed and must not be used any more` });
  assert.throws(() => owned.release(), /closed/);
  assert.throws(() => owned.dup(), /closed/);
});

test('release gives the number away, open', (t) => {
  const [read, write] = closeLater(t, pipe());
  const owned = new OwnedFd(read, 'reader');
  assert.equal(owned.release(), read);
  assert.equal(owned.closed, true);
  owned.close();
  assert.equal(getCloseOnExec(read), true);
  assert.throws(() => owned.fd, /released/);
  assert.throws(() => owned.release(), /released/);
  assert.ok(write > 0);
});

test('copies are owned separately', (t) => {
  const [read] = closeLater(t, pipe());
  const first = OwnedFd.dup(read, 'copy');
  const second = first.dup();
  assert.notEqual(first.fd, second.fd);
  first.close();
  assert.equal(getCloseOnExec(second.fd), true);
  second.close();
});

test('a descriptor closed behind its owner is EBADF once, then nothing', (t) => {
  const [read, write] = pipe();
  closeLater(t, write);
  const owned = new OwnedFd(read);
  close(read);
  assert.throws(() => owned.close(), { code: 'EBADF' });
  owned.close();
});

test('using closes it at the end of the block', (t) => {
  const [read, write] = pipe();
  closeLater(t, write);
  {
    using owned = new OwnedFd(read);
    assert.equal(owned.closed, false);
  }
  assert.throws(() => getCloseOnExec(read), { code: 'EBADF' });
});

const LEAK = `
  const warnings = [];
  process.on('warning', ({ code, message, detail }) => warnings.push({ code, message, detail }));
  const [read, write] = fd.pipe();
  (() => { new fd.OwnedFd(read, 'the leaked end'); const kept = new fd.OwnedFd(write, 'kept'); kept.release(); })();
  (() => { new fd.OwnedFd(fd.dup(1), 'closed').close(); })();
  for (let round = 0; round < 50 && warnings.length === 0; round++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  let code;
  try { fd.getCloseOnExec(read); } catch (error) { code = error.code; }
  console.log(JSON.stringify({ warnings, read, code, other: fd.getCloseOnExec(write) }));
`;

interface Leak {
  warnings: { code: string; message: string; detail?: string }[];
  read: number;
  code: string;
  other: boolean;
}

test('a descriptor whose owner is garbage-collected is closed, with a warning that names it', () => {
  const leak = resultOf<Leak>(runModule(LEAK, { node: ['--expose-gc'] }));
  assert.equal(leak.warnings.length, 1);
  assert.equal(leak.warnings[0]?.code, 'FD_HANDOFF_LEAK');
  assert.ok(leak.warnings[0]?.message.startsWith(`descriptor ${leak.read} (the leaked end) was garbage-collected`));
  assert.equal(leak.warnings[0]?.detail, undefined);
  assert.equal(leak.code, 'EBADF');
  assert.equal(leak.other, true);
});

const LEAKED_BATCH = `
  const warnings = [];
  process.on('warning', ({ message }) => warnings.push(message.replace(/^descriptor \\d+ /, '')));
  const [one, other] = fd.pipe();
  const released = fd.dup(one);
  (() => {
    const [leaked, closed, given] = fd.OwnedFd.ofAll([one, other, released], 'of a batch');
    closed.close();
    given.release();
  })();
  for (let round = 0; round < 50 && warnings.length === 0; round++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const isOpen = (number) => { try { fd.getCloseOnExec(number); return true; } catch { return false; } };
  console.log(JSON.stringify({ warnings, open: [one, other, released].map(isOpen) }));
`;

test('of a batch only those are closed that leaked', () => {
  const result = resultOf<{ warnings: string[]; open: boolean[] }>(runModule(LEAKED_BATCH, { node: ['--expose-gc'] }));
  assert.equal(result.warnings.length, 1);
  assert.match(result.warnings[0] ?? '', /^\(of a batch\) was garbage-collected/);
  assert.deepEqual(result.open, [false, false, true]);
});

test('a batch is owned one by one', () => {
  const pair = pipe();
  const [one, other] = OwnedFd.ofAll(pair, 'an end') as [OwnedFd, OwnedFd];
  assert.deepEqual([one.fd, other.fd], pair);
  one.close();
  assert.equal(one.closed, true);
  assert.equal(other.closed, false);
  other.close();
  assert.throws(() => OwnedFd.ofAll([-1]), { code: 'ERR_OUT_OF_RANGE' });
  assert.deepEqual(OwnedFd.ofAll([]), []);
});

test('several are closed at once, and those that are not owned any more are left alone', (t) => {
  const [one, other] = OwnedFd.ofAll(pipe(), 'an end') as [OwnedFd, OwnedFd];
  const [kept, closed] = pipe();
  closeLater(t, kept);
  const released = new OwnedFd(kept);
  released.release();
  const alone = new OwnedFd(closed);
  alone.close();
  const numbers = [one.fd, other.fd];
  OwnedFd.closeAll([one, released, alone, other, one]);
  assert.deepEqual([one.closed, other.closed], [true, true]);
  for (const number of numbers) assert.throws(() => getCloseOnExec(number), { code: 'EBADF' });
  assert.equal(getCloseOnExec(kept), true);
});

test('one that was closed behind its owner keeps none of the others from being closed', () => {
  const owned = OwnedFd.ofAll(pipe());
  const [one, other] = owned.map(({ fd }) => fd) as [number, number];
  close(one);
  assert.throws(() => OwnedFd.closeAll(owned), { code: 'EBADF', syscall: 'close' });
  assert.throws(() => getCloseOnExec(other), { code: 'EBADF' });
  OwnedFd.closeAll(owned);
});

test('the warning tells where it was made to those who ask', () => {
  for (const options of [
    { node: ['--expose-gc'], env: { NODE_DEBUG: 'fd-handoff' } },
    { node: ['--expose-gc', '--trace-warnings'] },
  ]) {
    const leak = resultOf<Leak>(runModule(LEAK, options));
    assert.match(leak.warnings[0]?.detail ?? '', /made here\n\s+at /);
  }
});
