import https from 'node:https';
import { expect, it } from 'vitest';
import { restoreResumption, saveResumption } from '../../../../lib/servers/tls/tls-resumption.ts';

const keys = (server: https.Server) => server.getTicketKeys().toString('hex');
const contextOf = (server: https.Server) => (server as { sessionIdContext?: string }).sessionIdContext;

it('a successor has the keys and the context of its predecessor', () => {
  const before = https.createServer({ sessionIdContext: 'theirs' });
  const after = https.createServer();
  restoreResumption(after, saveResumption(before));
  expect(keys(after)).toBe(keys(before));
  expect(contextOf(after)).toBe('theirs');
});

it('what the application has chosen itself stays', () => {
  const ticketKeys = Buffer.alloc(48, 'own');
  const after = https.createServer({ ticketKeys, sessionIdContext: 'own' });
  restoreResumption(after, saveResumption(https.createServer()));
  expect(keys(after)).toBe(ticketKeys.toString('hex'));
  expect(contextOf(after)).toBe('own');
});

it.each([
  ['nothing', null],
  ['a text', 'keys'],
  ['something without keys', { sessionIdContext: 'theirs' }],
  ['keys of another length', { ticketKeys: 'c2hvcnQ=', sessionIdContext: null }],
])('%s changes nothing', (_, saved) => {
  const after = https.createServer();
  const before = [keys(after), contextOf(after)];
  restoreResumption(after, saved);
  expect([keys(after), contextOf(after)]).toEqual(before);
});

it('a runtime that does not tell the context saves the keys alone', () => {
  const before = https.createServer();
  Object.assign(before, { sessionIdContext: undefined });
  expect(saveResumption(before)).toEqual({
    ticketKeys: before.getTicketKeys().toString('base64'),
    sessionIdContext: null,
  });
});
