/** `npm run load -- <target> [options]`: strict load on any server, and a table of what its clients saw. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type ConnectionMode, combinedReport, LoadClient, type Loop } from './load-client.ts';
import { failureLines, loadTable, serverTable } from './load-table.ts';

const USAGE = `usage: npm run load -- <target> [options]

<target> is http://host:port/path or unix:/path/to/socket

  --clients N         clients, each with one request at a time (100)
  --mode MODE         keep-alive, or new-connection for each request (keep-alive)
                      both may be given again: --clients 100 --clients 20 --mode keep-alive --mode new-connection
  --pause MS          closed loop: each client pauses at most so long between requests (20)
  --rate N            fixed rate instead: so many requests a second over all clients of each mode
  --duration S        how many seconds (10); Ctrl-C ends it earlier
  --requests N        or so many requests of each mode
  --timeout MS        when a request has failed (10000)
  --path PATH         the request's path (the target's)
  --method METHOD     (GET)
  --header 'N: V'     a further header; may be given again
  --served-by NAME    the answer's header that names the process that gave it (x-served-by)
  --json              print JSON

Failed is whatever a client can see fail: refused, reset, closed before or within an answer, timed out, an unexpected
status, an answer that is not HTTP. Nothing is retried. The exit code is 1 if anything failed, 2 for a wrong command line.`;

class UsageError extends Error {}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new UsageError(`--${option} needs a number above 0, not "${text}"`);
  return value;
}

function connectionMode(text: string): ConnectionMode {
  if (text !== 'keep-alive' && text !== 'new-connection') {
    throw new UsageError(`--mode needs keep-alive or new-connection, not "${text}"`);
  }
  return text;
}

function headerFields(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      if (colon < 1) throw new UsageError(`--header needs 'Name: value', not "${line}"`);
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
}

function commandLine(commandArguments: string[]) {
  const { values, positionals } = parseArgs({
    args: commandArguments,
    allowPositionals: true,
    options: {
      clients: { type: 'string', multiple: true, default: ['100'] },
      mode: { type: 'string', multiple: true, default: ['keep-alive'] },
      pause: { type: 'string' },
      rate: { type: 'string' },
      duration: { type: 'string', default: '10' },
      requests: { type: 'string' },
      timeout: { type: 'string', default: '10000' },
      path: { type: 'string' },
      method: { type: 'string', default: 'GET' },
      header: { type: 'string', multiple: true, default: [] },
      'served-by': { type: 'string', default: 'x-served-by' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return { kind: 'help' } as const;
  const [target] = positionals;
  if (target === undefined || positionals.length > 1) throw new UsageError('exactly one target is needed');
  if (values.rate !== undefined && values.pause !== undefined) {
    throw new UsageError('--rate and --pause exclude each other: a fixed rate does not wait for answers');
  }
  if (values.clients.length !== values.mode.length) throw new UsageError('as many --clients as --mode are needed');
  const loop: Loop =
    values.rate === undefined
      ? // A pause of 0 is sensible here, unlike that of any other number.
        { kind: 'closed', pause: values.pause === '0' ? 0 : positive('pause', values.pause ?? '20') }
      : { kind: 'fixed-rate', requestsPerSecond: positive('rate', values.rate) };
  const common = {
    target,
    loop,
    method: values.method,
    headers: headerFields(values.header),
    timeout: positive('timeout', values.timeout),
    servedByHeader: values['served-by'],
    label: 'load',
    ...(values.path === undefined ? {} : { path: values.path }),
    ...(values.requests === undefined ? {} : { requests: positive('requests', values.requests) }),
  };
  const loads = values.mode.map(
    (mode, index) =>
      new LoadClient({
        ...common,
        mode: connectionMode(mode),
        clients: positive('clients', values.clients[index] ?? ''),
      }),
  );
  return { kind: 'run', loads, duration: positive('duration', values.duration) * 1000, json: values.json } as const;
}

async function main(): Promise<number> {
  const command = commandLine(process.argv.slice(2));
  if (command.kind === 'help') {
    console.log(USAGE);
    return 0;
  }
  const { loads, duration, json } = command;
  const enough = new AbortController();
  process.once('SIGINT', () => enough.abort());
  process.once('SIGTERM', () => enough.abort());
  let unfinished = loads.length;
  for (const load of loads) {
    load.once('finished', () => {
      unfinished--;
      if (unfinished === 0) enough.abort();
    });
    load.start();
  }
  await delay(duration, undefined, { signal: enough.signal }).catch((error: Error) => {
    if (error.name !== 'AbortError') throw error;
  });
  const reports = await Promise.all(loads.map((load) => load.stop()));
  const combined = combinedReport('all', loads);
  const { total } = combined;
  if (json) {
    console.log(JSON.stringify({ ...combined, loads: reports }, undefined, 2));
  } else {
    const rows = reports.map((report) => ({ ...report.total, label: report.title }));
    const all = loads.length > 1 ? [{ ...total, label: combined.title }] : [];
    console.log(loadTable([...rows, ...all]));
    if (Object.keys(total.servedBy).length > 0) console.log(serverTable(total.servedBy));
    if (combined.overdue > 0) console.log(`${combined.overdue} requests were due, but no client was free to send them`);
    for (const line of failureLines(total, combined.examples)) console.log(line);
  }
  return total.failed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  // Wrong options of parseArgs and of the load client are the caller's as well, and their messages say what is wrong.
  if (!(error instanceof UsageError || error instanceof TypeError || error instanceof RangeError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
