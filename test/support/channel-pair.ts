import net from 'node:net';
import { ReceivingChannel, SendingChannel } from '../../lib/channel/channel.ts';
import { Control } from '../../lib/channel/control.ts';
import { OwnedFd } from '../../lib/fd/owned-fd.ts';
import { socketPair } from '../../lib/fd/socket.ts';

/** Both ends of a control connection as plain sockets. */
export function connectedSockets(): [net.Socket, net.Socket] {
  const [one, other] = socketPair();
  return [new net.Socket({ fd: one }), new net.Socket({ fd: other })];
}

/** Both ends of everything that a handoff runs over, in one process, with the raw ends in reach. */
export class ChannelPair implements Disposable {
  readonly sending: SendingChannel;
  readonly receiving: ReceivingChannel;
  readonly sendingSocket: net.Socket;
  readonly receivingSocket: net.Socket;
  readonly sendingLane: OwnedFd;
  readonly receivingLane: OwnedFd;

  constructor() {
    [this.sendingSocket, this.receivingSocket] = connectedSockets();
    const [sendingLane, receivingLane] = socketPair();
    this.sendingLane = new OwnedFd(sendingLane, 'the sending lane of a test');
    this.receivingLane = new OwnedFd(receivingLane, 'the receiving lane of a test');
    this.sending = new SendingChannel(new Control(this.sendingSocket, 'successor'), this.sendingLane);
    this.receiving = new ReceivingChannel(new Control(this.receivingSocket, 'predecessor'), this.receivingLane);
  }

  [Symbol.dispose](): void {
    this.sending[Symbol.dispose]();
    this.receiving[Symbol.dispose]();
  }
}
