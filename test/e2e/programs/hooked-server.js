// A server with a hook at every turning point, a background job, and an environment that is read from the disk whenever
// its next version is started. HOOKED says which of the hooks fail, and how.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { parseEnv } from 'node:util';
import { handoff } from 'fd-handoff';

const { CONTROL, ENV_FILE, HOOKED = '{}', LISTENER = '{"port":0}', OPTIONS = '{}', VERSION = 'none' } = process.env;
const hooked = JSON.parse(HOOKED);

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

/** Does in the hook of that name what the test wants. */
function act(name) {
  if (hooked[name] === 'throws') throw new Error(`${name} throws`);
  if (hooked[name] === 'rejects') return Promise.reject(new Error(`${name} rejects`));
  if (hooked[name] === 'hangs') return new Promise(() => {});
  return delay(10);
}

const app = await handoff({
  control: CONTROL,
  ...JSON.parse(OPTIONS),
  hooks: {
    async beforeBind(binding) {
      tell('before-bind', binding);
      await act('beforeBind');
    },
    async afterBind(bound) {
      tell('after-bind', bound);
      await act('afterBind');
    },
    async beforeSpawn({ command, args, env, cwd }) {
      tell('before-spawn', { command, args, cwd });
      await act('beforeSpawn');
      if (ENV_FILE === undefined) return undefined;
      const file = parseEnv(readFileSync(ENV_FILE, 'utf8'));
      return {
        env: { ...env, ...file },
        ...(file.ARGS === undefined ? {} : { args: [...args, ...file.ARGS.split(' ')] }),
        ...(file.CWD === undefined ? {} : { cwd: file.CWD }),
        ...(file.COMMAND === undefined ? {} : { command: file.COMMAND }),
      };
    },
    async afterCommit({ pid, mode }) {
      tell('after-commit', { successor: pid, mode });
      await act('afterCommit');
      tell('after-commit-done');
    },
  },
});
for (const name of ['commit', 'rollback', 'give-back']) app.on(name, () => tell(name));
app.on('error', ({ code, message, cause }) => tell('error', { code, message, cause: cause?.message }));
app.onClose(async () => {
  tell('on-close');
  await act('onClose');
});

/** Works only in the process that serves: it stops at commit, and starts again where the service comes back. */
function startJob() {
  const timer = setInterval(() => {}, 10);
  tell('job-started');
  app.draining.addEventListener('abort', () => {
    clearInterval(timer);
    tell('job-stopped');
  });
}
app.on('give-back', startJob);

const admin = {
  '/upgrade': async (options) => ({ pid: await app.upgrade(options) }),
  '/reexec': (options) => app.reexec(options),
};

const server = http.createServer(async (request, response) => {
  response.setHeader('x-served-by', process.pid);
  const action = admin[request.url];
  if (action === undefined) {
    const wait = Number(new URL(request.url, 'http://host').searchParams.get('wait'));
    if (wait > 0) {
      tell('began');
      await delay(wait);
    }
    response.end('served');
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  // A request that waits for the answer would keep the process from its own re-exec.
  const answer = (value) => response.writableEnded || response.end(JSON.stringify(value));
  if (request.url === '/reexec') answer({});
  try {
    answer(await action(JSON.parse(body)));
  } catch ({ code, message, cause }) {
    const failure = { code, message, cause: cause?.message };
    tell('failed', failure);
    answer(failure);
  }
});

const { name, port, path, inherited } = await app.listen(server, JSON.parse(LISTENER));
const { generation, rehearsal } = app;
const seen = { generation, version: VERSION, args: process.argv.slice(2), cwd: process.cwd() };
tell('starting', { ...seen, rehearsal });
await app.ready();
startJob();
tell('ready', { ...seen, inherited, addresses: [{ name, port, path }] });
