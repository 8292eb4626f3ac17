import { type Frame, isString, type JsonObject, readArray, readInteger, readString } from '../channel/frame.ts';
import { isToken, type Token } from '../channel/token.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { connectionMemoryFeature, connectionsFeature } from './connection-transfer.ts';
import { debuggerFeature } from './debugger-address.ts';
import { drainsFeature } from './drains/drain-line.ts';
import { reopenFeature } from './reopenings.ts';

export const protocolVersion = 1;

/** What a successor says in `features` that answers every COMMITTED with UNCLAIMED, be there a name in it or not. */
export const unclaimedFeature = 'unclaimed';

/** What this version can do beyond the bare protocol; a peer that does not know a name ignores it. */
export const features: readonly string[] = [
  'released',
  unclaimedFeature,
  connectionsFeature,
  connectionMemoryFeature,
  drainsFeature,
  debuggerFeature,
  reopenFeature,
];

const intents = ['takeover', 'share', 'status', 'upgrade', 'drain', 'hammer'] as const;

/** What somebody who connects wants. */
export type Intent = (typeof intents)[number];

export interface Hello {
  readonly intent: Intent;
  readonly pid: number;
  /** What its lane says; null for intents that take no descriptors. */
  readonly token: Token | null;
  readonly features: readonly string[];
  /** Everything that was said: what an intent needs besides. */
  readonly details: JsonObject;
}

/** @param details what the intent needs besides */
export function helloPayload(intent: Intent, token: Token | null, details: JsonObject = {}): JsonObject {
  return { ...details, protocol: [protocolVersion], intent, pid: process.pid, token, features: [...features] };
}

/** Whether a visitor with this intent brings a lane. */
export function takesDescriptors(intent: Intent): boolean {
  return intent === 'takeover' || intent === 'share';
}

/** Reads a HELLO; throws ERR_HANDOFF_VERSION or ERR_HANDOFF_PROTOCOL with what to tell the visitor. */
export function readHello(frame: Frame): Hello {
  const versions = readArray(frame, 'protocol', (value): value is number => typeof value === 'number');
  if (!versions.includes(protocolVersion)) {
    throw new HandoffError(
      'ERR_HANDOFF_VERSION',
      `Protocol version ${versions.join(', ') || '(none)'} was asked for, and this process speaks ${protocolVersion}: update the older of the two programs.`,
    );
  }
  const intent = readString(frame, 'intent');
  if (!isIntent(intent)) {
    throw new HandoffError('ERR_HANDOFF_REFUSED', `The intent "${intent}" is not one of ${intents.join(', ')}.`);
  }
  const token = frame.payload.token ?? null;
  if (takesDescriptors(intent) && !isToken(token)) {
    throw new HandoffError('ERR_HANDOFF_PROTOCOL', 'The token is not 32 hexadecimal characters.');
  }
  return {
    intent,
    pid: readInteger(frame, 'pid'),
    token: isToken(token) ? token : null,
    features: readFeatures(frame),
    details: frame.payload,
  };
}

/** What whoever has sent a HELLO or a WELCOME can do. */
export function readFeatures(frame: Frame): string[] {
  return frame.payload.features === undefined ? [] : readArray(frame, 'features', isString);
}

function isIntent(value: string): value is Intent {
  return (intents as readonly string[]).includes(value);
}
