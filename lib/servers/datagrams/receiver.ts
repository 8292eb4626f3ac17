import { createSocket, Socket } from 'node:dgram';
import { Server } from 'node:net';
import { HandoffError } from '../../fd/handoff-error.ts';
import { attachTo, type Service } from '../binding/place.ts';
import { datagramType, resumeReceiving, stopReceiving } from '../internals/datagrams.ts';
import { type DatagramPlace, isBound } from './datagram-listener.ts';

/** A `dgram` socket in its place: it receives, stops receiving, receives again, is closed. */
export class Receiver {
  readonly socket: Socket;
  readonly place: DatagramPlace;
  #service: Service;

  private constructor(socket: Socket, place: DatagramPlace, service: Service) {
    this.socket = socket;
    this.place = place;
    this.#service = service;
  }

  /**
   * Binds `socket` to its place. It can send from now on, and join groups; what comes waits in the kernel's buffer. Where
   * Node's internals do not allow that, it receives from now on.
   *
   * @param closed is called when somebody has closed the socket
   */
  static async open(socket: Socket, place: DatagramPlace, closed: () => void): Promise<Receiver> {
    try {
      await attachTo(place, socket);
    } catch (error) {
      place[place.inherited ? 'close' : 'remove']();
      if ((error as NodeJS.ErrnoException).code === 'ERR_SOCKET_ALREADY_BOUND') throw boundByItself(socket);
      stopReceiving(socket);
      throw error;
    }
    const receiver = new Receiver(socket, place, stopReceiving(socket) ? 'waiting' : 'accepting');
    socket.once('close', () => {
      // What nobody reads any more is not handed over, or the successor would seem to have it.
      place.close();
      closed();
    });
    return receiver;
  }

  /** Receives in one more place for `socket`, which gets what comes there as its own. */
  static beside(socket: Socket, place: DatagramPlace, closed: () => void): Promise<Receiver> {
    const companion = createSocket(datagramType(socket));
    companion.on('message', (...received) => socket.emit('message', ...received));
    companion.on('error', (error) => socket.emit('error', error));
    const close = () => companion.close();
    socket.once('close', close);
    companion.once('close', () => socket.off('close', close));
    return Receiver.open(companion, place, closed);
  }

  get service(): Service {
    return this.#service;
  }

  /** Receives from now on. */
  async accept(): Promise<void> {
    resumeReceiving(this.socket);
    this.#service = 'accepting';
  }

  /** Receives no more, and can still send. What Node has taken out of the kernel is delivered: it does so one by one. */
  stopAccepting(): void {
    if (this.#service === 'accepting' && stopReceiving(this.socket)) this.#service = 'stopped';
  }

  /** It came too late, and nobody is to send to it. */
  dismiss(): void {
    this.close();
    this.place.remove();
  }

  /** Closes the socket, unless the application has. */
  close(): void {
    try {
      this.socket.close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING') throw error;
    }
  }
}

/** Throws where `socket` is nothing that can be bound, with what to do instead. */
export function checkUnbound(socket: Socket): void {
  if (!(socket instanceof Socket)) {
    throw Object.assign(
      new TypeError(
        (socket as unknown) instanceof Server
          ? 'bind() needs a socket of dgram.createSocket(), and was given a server: that is for listen().'
          : `bind() needs a socket of dgram.createSocket(). Received ${socket === null ? 'null' : typeof socket}`,
      ),
      { code: 'ERR_INVALID_ARG_TYPE' },
    );
  }
  if (isBound(socket)) throw boundByItself(socket);
}

function boundByItself(socket: Socket): HandoffError {
  const where = isBound(socket) ? ` to ${JSON.stringify(socket.address())}` : '';
  return new HandoffError(
    'ERR_HANDOFF_ALREADY_OWNED',
    `The datagram socket is bound${where} already, by its own bind(), connect() or send(): give it to app.bind() before those.`,
  );
}
