/**
 * A socket cannot be reached by its path any more, and no other can be bound there. It is served on, for whoever comes by
 * it still: that is no reason to give the rest of the service up.
 */
export function warnOfLostFile(path: string, error: unknown): void {
  process.emitWarning(
    `The socket file ${path} is not there any more, or is somebody else's, and no other could be bound in its place: ${(error as Error).message} The old socket is served on, but nobody new can come by that path.`,
    { type: 'HandoffWarning', code: 'FD_HANDOFF_SOCKET_FILE' },
  );
}
