// A server of Node's own, as the measure of what the library costs when nothing happens.
import http from 'node:http';
import { serve } from './serve.js';

const server = http.createServer((_request, response) => response.end('hello\n'));
server.listen(0, '127.0.0.1', () => serve(server.address().port));
