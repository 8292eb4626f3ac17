/**
 * `fd-handoff/fd`: the typed system calls that everything else is built on. All of them are synchronous and never wait.
 *
 * @module fd-handoff/fd
 */
export {
  type Description,
  describe,
  type OtherDescription,
  type SocketAddress,
  type SocketDescription,
} from './describe.ts';
export {
  close,
  closeAll,
  dup,
  getCloseOnExec,
  getNonBlocking,
  pipe,
  setCloseOnExec,
  setNonBlocking,
} from './descriptor.ts';
export { exec } from './exec.ts';
export { HandoffError, type HandoffErrorCode, handoffErrorCodes, isHandoffErrorCode } from './handoff-error.ts';
export { MAXIMUM_DESCRIPTORS, type Message, receiveMessage, sendDatagram, sendMessage } from './message.ts';
export { isSupported } from './native.ts';
export { OwnedFd } from './owned-fd.ts';
export { type PeerCredentials, peerCredentials } from './peer-credentials.ts';
export {
  accept,
  type BindOptions,
  type BindUnixOptions,
  bindTcp,
  bindUdp,
  bindUnix,
  connectUnix,
  listen,
  socketPair,
} from './socket.ts';
export type { SystemError } from './system-error.ts';
