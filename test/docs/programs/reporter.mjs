// Loaded before a program of the documentation: tells on standard output what the test waits for, and what it wants to know
// where something has failed. It only listens.
import cluster from 'node:cluster';
import { subscribe } from 'node:diagnostics_channel';

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, at: new Date().toISOString(), ...details }));
}

subscribe('fd-handoff:phase', ({ handoff, from, to }) => {
  tell('phase', { from, to });
  if (from !== 'taking-over' || to !== 'serving') return;
  const { generation, listeners, datagramSockets } = handoff.status();
  tell(cluster.isWorker ? 'worker-ready' : 'ready', { generation, listeners, datagramSockets });
});
subscribe('fd-handoff:rollback', ({ error }) => tell('rollback', { message: error.message }));
subscribe('fd-handoff:error', ({ error }) => tell('error', { message: error.message }));
subscribe('fd-handoff:drain', ({ moved, drained, forced }) => tell('drain', { moved, drained, forced }));
