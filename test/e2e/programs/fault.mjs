// Loaded into a process before everything else (`--import`), it lets something go wrong at a chosen moment of a handoff:
// FAULT_PLAN names a file that says what, where and when. Whoever acts on the plan removes it first, so that a plan is
// acted upon once, and tells so on standard output.
import { subscribe } from 'node:diagnostics_channel';
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const planFile = process.env.FAULT_PLAN;
const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

function tell(event, details = {}) {
  fs.writeSync(1, `${JSON.stringify({ event, pid: process.pid, at: Date.now(), ...details })}\n`);
}

/** The plan as it is now; null where there is none. */
function currentPlan() {
  try {
    return JSON.parse(fs.readFileSync(planFile, 'utf8'));
  } catch {
    return null;
  }
}

/** T for stopped, Z for a zombie, undefined for one that is gone. */
function stateOf(pid) {
  try {
    return /\) (\S)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}

/** Sends the signal and waits until it has worked: on another core the peer would run on for a moment. */
function strike(pid, signal) {
  process.kill(pid, signal);
  if (pid === process.pid) return;
  const struck = signal === 'SIGSTOP' ? ['T'] : ['Z', 'X', undefined];
  const end = Date.now() + 1000;
  while (!struck.includes(stateOf(pid)) && Date.now() < end);
}

/** Replaces `object[name]` for one call that `concerns` lets through. */
function once(object, name, replacement) {
  const original = object[name];
  object[name] = function replaced(...args) {
    object[name] = original;
    syncBuiltinESMExports();
    return replacement.call(this, original, ...args);
  };
  syncBuiltinESMExports();
}

function addon() {
  return createRequire(import.meta.url)('node-gyp-build')(root);
}

/** Opens descriptors until there are no more, but for `leave` of them. */
function exhaust(leave) {
  const held = [];
  try {
    for (;;) held.push(fs.openSync('/dev/null', 'r'));
  } catch (error) {
    if (error.code !== 'EMFILE') throw error;
  }
  for (const fd of held.splice(0, leave)) fs.closeSync(fd);
  return held;
}

/** Half of the next thing that is written, and then the end of what it is written to. */
const cuts = {
  frame() {
    once(net.Socket.prototype, 'write', function half(write, bytes) {
      write.call(this, bytes.subarray(0, bytes.length >> 1));
      this.destroy();
    });
  },
  READY() {
    once(fs, 'writeSync', (write, fd) => write(fd, 'half a status text'));
  },
  BATCH() {
    once(addon(), 'sendMessage', (send, fd, data, fds, count) => send(fd, data, fds, count >> 1));
  },
};

const actions = {
  'kill-self': () => strike(process.pid, 'SIGKILL'),
  'kill-peer': (peer) => strike(peer, 'SIGKILL'),
  'stop-self': () => strike(process.pid, 'SIGSTOP'),
  'stop-peer': (peer) => strike(peer, 'SIGSTOP'),
  cut: (_, { name }) => (cuts[name] ?? cuts.frame)(),
  exhaust: (_, { leave }) => void exhaust(leave),
  'exhaust-briefly'(_, { leave }) {
    const held = exhaust(leave);
    // Before anything else happens in this process: whatever it is about to do now is what fails.
    process.nextTick(() => {
      for (const fd of held) fs.closeSync(fd);
    });
  },
  'fill-lane'() {
    once(addon(), 'sendMessage', (send, fd, data, fds, count) => {
      const junk = Buffer.alloc(4096, 'x');
      while (send(fd, junk, fds, 0) > 0);
      return send(fd, data, fds, count);
    });
  },
};

/** How often each utterance was heard in each of its moments, since the plan is another one. */
let heard = { id: null, counts: new Map() };

function isMine({ side, predecessor }, peer) {
  if (side === 'predecessor') return peer === 'successor' && process.pid === predecessor;
  return peer === 'predecessor' && process.pid !== predecessor;
}

if (planFile !== undefined) {
  subscribe('fd-handoff:frame', ({ moment, name, peer, peerPid }) => {
    if (name === 'ABORT') tell('abort', { moment });
    const plan = currentPlan();
    if (plan === null || plan.name !== name || plan.moment !== moment || !isMine(plan, peer)) return;
    if (heard.id !== plan.id) heard = { id: plan.id, counts: new Map() };
    const count = (heard.counts.get(name) ?? 0) + 1;
    heard.counts.set(name, count);
    if (count !== plan.occurrence) return;
    fs.unlinkSync(planFile);
    // HELLO is said before its sender knows to whom.
    const other = peerPid ?? plan.predecessor;
    tell('fault', { id: plan.id, action: plan.action, peer: other });
    actions[plan.action](other, plan);
  });
  subscribe('fd-handoff:refusal', () => tell('refusal'));
}
