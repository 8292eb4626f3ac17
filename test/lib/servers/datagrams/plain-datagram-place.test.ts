import dgram from 'node:dgram';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { PlainDatagramPlace } from '../../../../lib/servers/datagrams/plain-datagram-place.ts';

it('is bound by Node, and tells the port that it got', async () => {
  const place = new PlainDatagramPlace('it', { family: 'udp4', host: null, address: '0.0.0.0', port: 0 });
  expect(place).toMatchObject({ inherited: false, closed: false, address: { address: '0.0.0.0', port: 0 } });
  const socket = dgram.createSocket('udp4');
  place.attach(socket);
  await once(socket, 'listening');
  expect(place.address).toEqual({ address: '0.0.0.0', port: socket.address().port });
  // The socket holds it.
  place.close();
  place.remove();
  expect(socket.address().port).toBeGreaterThan(0);
  socket.close();
});

it('cannot be a path', () => {
  expect(() => new PlainDatagramPlace('it', { family: 'unix', path: '/run/it.sock' })).toThrow(
    expect.objectContaining({ code: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM' }),
  );
});
