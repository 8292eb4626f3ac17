/** How long the addon takes to load, each time in a process of its own: `npm run load-time`. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const processes = 20;
const root = fileURLToPath(new URL('..', import.meta.url));

// node-gyp-build before the clock starts: it looks for the file, and this is about loading it.
const script = `
  const file = require('node-gyp-build').resolve(${JSON.stringify(root)});
  const started = performance.now();
  require(file);
  console.log(JSON.stringify({ file, milliseconds: performance.now() - started }));
`;

const runs = Array.from({ length: processes }, () => {
  const output = execFileSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' });
  return JSON.parse(output) as { file: string; milliseconds: number };
}).sort((a, b) => a.milliseconds - b.milliseconds);

const at = (share: number): string => runs[Math.floor(share * (runs.length - 1))]?.milliseconds.toFixed(2) ?? '';
console.log(`${runs[0]?.file.slice(root.length)}, Node ${process.version}, ${processes} processes`);
console.log(`load time: median ${at(0.5)} ms, fastest ${at(0)} ms, slowest ${at(1)} ms`);
