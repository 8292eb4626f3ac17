// loop.c's `two` with `fd-handoff/channel`: channel-loop.js BATCH MILLISECONDS
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Control, ReceivingChannel, SendingChannel } from 'fd-handoff/channel';
import { close, OwnedFd, socketPair } from 'fd-handoff/fd';
import { timeAwaitedLoop } from './timed.js';

const batch = Number(process.argv[2]);
const milliseconds = Number(process.argv[3]);
const { signal } = new AbortController();

if (process.argv[4] === 'receiver') {
  const control = Control.over(new OwnedFd(3, 'the control connection'), 'predecessor');
  const channel = new ReceivingChannel(control, new OwnedFd(4, 'the lane'));
  void control.closed.then(() => process.exit());
  for (;;) OwnedFd.closeAll(await channel.receiveDescriptors(batch, signal));
}

const [control, theirControl] = socketPair();
const [lane, theirLane] = socketPair();
spawn(process.execPath, [fileURLToPath(import.meta.url), String(batch), '0', 'receiver'], {
  stdio: ['ignore', 'inherit', 'ignore', theirControl, theirLane],
});
close(theirControl);
close(theirLane);
const channel = new SendingChannel(
  Control.over(new OwnedFd(control, 'the control connection'), 'successor'),
  new OwnedFd(lane, 'the lane'),
);
const outgoing = new Array(batch).fill(openSync('/dev/null'));
await timeAwaitedLoop(milliseconds, () => channel.sendDescriptors(outgoing, signal));
process.exit();
