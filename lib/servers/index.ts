/** Adopting listeners into Node's servers, and draining those: what the face needs of this layer. */
export { type BoundAddress, formatAddress } from './binding/address.ts';
export type { BindHooks, BoundListener, WantedListener } from './binding/bind-hooks.ts';
export { boundAddress, receives } from './binding/bound-socket.ts';
export { sameClients } from './binding/reach.ts';
export type { DatagramOptions } from './datagrams/datagram-options.ts';
export type { Receiver } from './datagrams/receiver.ts';
export type { DrainReason, Work } from './draining/connections.ts';
export { Countdown } from './draining/countdown.ts';
export { CutOff } from './draining/cut-off.ts';
export type { Dependant } from './draining/dependant.ts';
export type { DrainCounts, DrainEnd, DrainLimits, DrainOrder } from './draining/drain.ts';
export {
  type Bound,
  Estate,
  type InheritedDescriptor,
  type Listening,
} from './estate/estate.ts';
export type { Adopter } from './estate/moved-connections.ts';
export type { DescriptorOpener, DescriptorOptions } from './estate/own-descriptors.ts';
export { isReceiving } from './estate/place-choice.ts';
export type { FateOfClosed } from './estate/served-servers.ts';
export type { StateHooks } from './estate/states.ts';
export { bindToUnixSocket } from './internals/datagrams.ts';
export { type ParentChannel, parentChannel } from './internals/parent-channel.ts';
export { descriptorOf } from './internals/sockets.ts';
export type { ConnectionHooks } from './moving/connection-memory.ts';
export { Mover } from './moving/mover.ts';
export { Survivors } from './moving/survivors.ts';
export type { HoldOptions, ListenOptions } from './serving/listen-options.ts';
export type { ConnectionsLeave, Served } from './serving/served.ts';
