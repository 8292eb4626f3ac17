/** A server that tells its version with every answer, once it has read the request; `before` runs in front of `ready()`. */
export function serverOf(
  version: string,
  { before = '', options = '{ control: process.env.CONTROL }' }: { before?: string; options?: string } = {},
): string {
  return `
import http from 'node:http';
import { handoff } from 'fd-handoff';

const tell = (event, details = {}) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));
const server = http.createServer(async (request, response) => {
  for await (const _ of request);
  response.setHeader('x-served-by', process.pid);
  response.end('${version}');
});
const app = await handoff(${options});
const { port } = await app.listen(server, { name: 'web', port: 0, host: '127.0.0.1' });
${before}
await app.ready();
tell('ready', { generation: app.generation, version: '${version}', addresses: [{ port }] });
`;
}
