/** Adopting listeners into Node's servers, and draining those: what the face needs of this layer. */
export { type BoundAddress, formatAddress } from './address.ts';
export type { BindHooks, BoundListener, WantedListener } from './bind-hooks.ts';
export { boundAddress, receives } from './bound-socket.ts';
export type { ConnectionHooks } from './connection-memory.ts';
export type { DrainReason, Work } from './connections.ts';
export { Countdown } from './countdown.ts';
export { CutOff } from './cut-off.ts';
export type { Dependant } from './dependant.ts';
export type { DrainCounts, DrainEnd, DrainLimits, DrainOrder } from './drain.ts';
export {
  type Adopter,
  type Bound,
  type DatagramOptions,
  Estate,
  type InheritedDescriptor,
  type Listening,
  type StateHooks,
} from './estate.ts';
export { bindToUnixSocket, descriptorOf, type ParentChannel, parentChannel } from './internals.ts';
export type { HoldOptions, ListenOptions } from './listen-options.ts';
export { Mover } from './mover.ts';
export { isReceiving } from './place-choice.ts';
export { sameClients } from './reach.ts';
export type { Receiver } from './receiver.ts';
export type { ConnectionsLeave, Served } from './served.ts';
export type { FateOfClosed } from './served-servers.ts';
export { Survivors } from './survivors.ts';
