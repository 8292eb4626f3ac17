// loop.c's `one` with `fd-handoff/fd`: fd-loop.js BATCH MILLISECONDS
import { openSync } from 'node:fs';
import { closeAll, receiveMessage, sendMessage, socketPair } from 'fd-handoff/fd';
import { timeLoop } from './timed.js';

const batch = Number(process.argv[2]);
const milliseconds = Number(process.argv[3]);
const mark = Buffer.from('F');
const acknowledgement = Buffer.from('R');
const outgoing = new Array(batch).fill(openSync('/dev/null'));
const [sender, receiver] = socketPair();

timeLoop(milliseconds, () => {
  sendMessage(sender, mark, outgoing);
  const { fds } = receiveMessage(receiver, 1, batch);
  sendMessage(receiver, acknowledgement);
  closeAll(fds);
  receiveMessage(sender, 1, 0);
});
