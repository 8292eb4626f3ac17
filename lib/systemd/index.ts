/**
 * `fd-handoff/systemd`: what a service and its manager have to tell each other. `handoff()` does all of it by itself where
 * the manager's variables are there; this is for programs that do without it.
 *
 * @module fd-handoff/systemd
 */
export { DescriptorStore, takeStoreSize } from './descriptor-store.ts';
export { type PassedDescriptor, takePassedDescriptors } from './listen-fds.ts';
export { type Assignments, NotifySocket } from './notify.ts';
export { takeWatchdogInterval, Watchdog } from './watchdog.ts';
