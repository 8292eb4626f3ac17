/**
 * Frames on a control socket and descriptors on a lane: the two connections that a handoff runs over, for programs that
 * want to speak the protocol themselves.
 *
 * @module fd-handoff/channel
 */
export { batchLimit, ReceivingChannel, SendingChannel } from './channel.ts';
export { Control, type Peer } from './control.ts';
export { Deadline } from './deadline.ts';
export {
  encodeFrame,
  type Frame,
  FrameDecoder,
  type FrameName,
  frameTypes,
  type Json,
  type JsonObject,
  maximumFrameLength,
} from './frame.ts';
export { createToken, isToken, type Token } from './token.ts';
export type { FrameTrace, Utterance } from './trace.ts';
