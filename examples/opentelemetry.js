// Spans and metrics of handoffs, in the words of OpenTelemetry and without depending on it: give `observe()` a tracer and a
// meter of '@opentelemetry/api', or anything that has their shape.
//
//   import { metrics, trace } from '@opentelemetry/api';
//   observe(trace.getTracer('fd-handoff'), metrics.getMeter('fd-handoff'));
//
// Call it before handoff(), so that it sees the beginning. Run by itself it prints what it is told, as JSON:
//
//   node examples/opentelemetry.js
//   kill -HUP <pid>
//
import { subscribe } from 'node:diagnostics_channel';
import http from 'node:http';
import { pathToFileURL } from 'node:url';
import { handoff } from 'fd-handoff';

/** What SpanStatusCode.ERROR of '@opentelemetry/api' is. */
const statusOfError = 2;

/** What a process is doing, and how it ends: a span begins with the first, and ends when the phase is another one. */
const spanNames = {
  'taking-over': 'fd-handoff.take-over',
  offering: 'fd-handoff.offer',
  draining: 'fd-handoff.drain',
  'draining-in-place': 'fd-handoff.reexec',
  'shutting-down': 'fd-handoff.shutdown',
};

export function observe(tracer, meter) {
  const handoffs = meter.createCounter('fd_handoff.handoffs', { description: 'Handoffs by their outcome' });
  const refusals = meter.createCounter('fd_handoff.refusals', { description: 'Visitors that were turned away' });
  const drains = meter.createHistogram('fd_handoff.drain.duration', { unit: 'ms' });
  const connections = meter.createCounter('fd_handoff.connections', {
    description: 'Established connections, by their fate',
  });
  const seen = new Set();
  const spans = new WeakMap();

  meter.createObservableGauge('fd_handoff.open_connections', { description: 'By listener' }).addCallback((result) => {
    for (const app of seen) {
      for (const { name, connections } of app.status().listeners) result.observe(connections, { listener: name });
    }
  });

  subscribe('fd-handoff:phase', ({ handoff, from, to, cause }) => {
    seen.add(handoff);
    spans.get(handoff)?.setAttribute('fd_handoff.to', to).end();
    spans.delete(handoff);
    if (to === 'left') seen.delete(handoff);
    const name = spanNames[to];
    if (name === undefined) return;
    const attributes = {
      'fd_handoff.from': from,
      'fd_handoff.cause': cause,
      'fd_handoff.generation': handoff.generation,
    };
    spans.set(handoff, tracer.startSpan(name, { attributes }));
  });
  subscribe('fd-handoff:offer', ({ handoff, pid, phase }) => {
    spans.get(handoff)?.addEvent(phase, { 'fd_handoff.successor.pid': pid });
  });
  subscribe('fd-handoff:commit', ({ mode }) => handoffs.add(1, { outcome: 'commit', mode }));
  subscribe('fd-handoff:rollback', ({ handoff, error }) => {
    handoffs.add(1, { outcome: 'rollback', code: error.code ?? error.name });
    spans.get(handoff)?.recordException(error);
    spans.get(handoff)?.setStatus({ code: statusOfError, message: error.message });
  });
  subscribe('fd-handoff:give-back', () => handoffs.add(1, { outcome: 'give-back' }));
  subscribe('fd-handoff:refusal', ({ error }) => refusals.add(1, { code: error.code }));
  subscribe('fd-handoff:drain', ({ reason, duration, moved, drained, forced }) => {
    drains.record(duration, { reason });
    for (const [fate, count] of Object.entries({ moved, drained, forced })) connections.add(count, { fate });
  });
}

/** Something with the shape of OpenTelemetry's API that prints. */
function printer(print) {
  const measure = (name) => (value, attributes) => print({ metric: name, value, ...attributes });
  const tracer = {
    startSpan(name, { attributes }) {
      const begun = performance.now();
      const all = { ...attributes };
      const events = [];
      return {
        setAttribute(key, value) {
          all[key] = value;
          return this;
        },
        addEvent: (event) => events.push(event),
        recordException: (error) => events.push(error.message),
        setStatus: ({ message }) => {
          all.error = message;
        },
        end: () => print({ span: name, duration: Math.round(performance.now() - begun), events, ...all }),
      };
    },
  };
  const meter = {
    createCounter: (name) => ({ add: measure(name) }),
    createHistogram: (name) => ({ record: measure(name) }),
    createObservableGauge: (name) => ({
      addCallback: (callback) => setInterval(() => callback({ observe: measure(name) }), 10_000).unref(),
    }),
  };
  return [tracer, meter];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  observe(...printer((told) => console.log(JSON.stringify({ event: 'told', pid: process.pid, ...told }))));
  const app = await handoff({ control: process.env.CONTROL ?? './app.sock' });
  const server = http.createServer((_request, response) => response.end(`hello from ${process.pid}\n`));
  const { port } = await app.listen(server, { port: Number(process.env.PORT ?? 8080) });
  await app.ready();
  console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation, port }));
}
