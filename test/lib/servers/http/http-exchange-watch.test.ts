import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { watchExchanges } from '../../../../lib/servers/http/http-exchange-watch.ts';
import { eventually } from '../../../support/eventually.ts';
import { ServedServer } from '../../../support/served-server.ts';

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

it('tells of every request and of the end of every answer of one server, until it is stopped', async () => {
  const handled: [IncomingMessage, ServerResponse][] = [];
  await using scene = await ServedServer.start('http', (request: IncomingMessage, response) => {
    handled.push([request, response]);
    response.end('answer');
  });
  await using other = await ServedServer.start('http', (_, response) => response.end('other'));
  const told: string[] = [];
  const exchanges: unknown[] = [];
  const stop = watchExchanges(scene.served.server, {
    begun: (exchange) => {
      told.push(`begun after ${handled.length}`);
      exchanges.push([exchange.request, exchange.response]);
    },
    answered: (exchange) => told.push(`answered ${exchange.request.method}`),
  });
  const client = await scene.connect();
  client.send(get);
  await client.until('answer');
  const elsewhere = await other.connect();
  elsewhere.send(get);
  await elsewhere.until('other');
  client.send('POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok');
  await client.until('answer', 2);
  // Before the application's own listener, be that to 'request' or to 'checkContinue'.
  expect(told).toEqual(['begun after 0', 'answered GET', 'begun after 1', 'answered POST']);
  expect(exchanges).toEqual(handled);
  stop();
  client.send(get);
  await client.until('answer', 3);
  expect(told).toHaveLength(4);
});

it('is content with the beginnings', async () => {
  await using scene = await ServedServer.start('http', (_, response) => response.end('answer'));
  let begun = 0;
  const stop = watchExchanges(scene.served.server, { begun: () => begun++ });
  const client = await scene.connect();
  client.send(get.repeat(3));
  await client.until('answer', 3);
  await eventually(() => begun === 3);
  stop();
});
