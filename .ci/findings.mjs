/**
 * Whether memory that was lost, or an access that was wrong, is the addon's: its frames come before any of Node's. Node
 * leaves memory behind when a thread or a process ends, and every call of the addon has Node's frames behind it.
 */
export function isAddons(report) {
  const frame = report.split('\n').find((line) => /fd_handoff|\/node\+0x|in \S*\/node\)/.test(line));
  return frame?.includes('fd_handoff') ?? false;
}
