/**
 * What the command `fd-handoff` needs of the library beside what everybody may import. It is one file, because every file
 * that the command imports cuts what a server imports into smaller ones, and Node takes half a millisecond for each.
 */
export { isObject } from '../channel/frame.ts';
export { flushOutput, leave } from '../process/leave.ts';
export { protectStandardStreams, speak } from '../process/output/standard-output.ts';
export { packageVersion } from '../process/package-version.ts';
export { Child } from '../process/start/child.ts';
export { channelVariable, controlVariable } from '../process/start/environment.ts';
export { OrphanGuard } from '../programs/orphan-guard.ts';
export { conventions } from '../programs/program-variables.ts';
export { parseReadiness } from '../programs/readiness.ts';
export { defaultName, resolveDatagramAddress } from '../servers/binding/address.ts';
export { defaultRepeatWithin, GivenOrders } from '../signals/given-orders.ts';
export { requestHammer } from '../transaction/visits/hammer-request.ts';
export { askStatus } from '../transaction/visits/status-inquiry.ts';
export { requestUpgrade } from '../transaction/visits/upgrade-request.ts';
