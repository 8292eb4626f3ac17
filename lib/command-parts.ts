/**
 * What the command `fd-handoff` needs of the library beside what everybody may import. It is one file, because every file
 * that the command imports cuts what a server imports into smaller ones, and Node takes half a millisecond for each.
 */
export { isObject } from './channel/frame.ts';
export { requestHammer } from './handoff/hammer-request.ts';
export { askStatus } from './handoff/status-inquiry.ts';
export { requestUpgrade } from './handoff/upgrade-request.ts';
export { packageVersion } from './package-version.ts';
export { Child } from './process/child.ts';
export { channelVariable, controlVariable } from './process/environment.ts';
export { defaultRepeatWithin, GivenOrders } from './process/given-orders.ts';
export { flushOutput, leave } from './process/leave.ts';
export { OrphanGuard } from './process/orphan-guard.ts';
export { conventions } from './process/program-variables.ts';
export { parseReadiness } from './process/readiness.ts';
export { protectStandardStreams, speak } from './process/standard-output.ts';
export { defaultName, resolveDatagramAddress } from './servers/address.ts';
