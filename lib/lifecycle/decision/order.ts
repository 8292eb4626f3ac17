/** What is to be done when something has been decided; `Conductor` has an activity for each. */
export type Order =
  // ---- as a successor ----
  /** Accept on everything, write the newline, and wait for the predecessor's word. */
  | 'take-over'
  /** Say that this version starts, and end. */
  | 'pass-rehearsal'
  /** Make what was inherited this process's own, and tell whoever waits for it. */
  | 'settle-in'
  /** Close what was inherited: nothing is to be held of a handoff that was called off. */
  | 'let-go-of-inheritance'
  /** Tell the predecessor that this process is no successor. */
  | 'refuse-predecessor'
  /** Tell the predecessor that its end is none that this process has to step in for, or the other way round. */
  | 'release-predecessor'
  // ---- as a predecessor ----
  /** Tell the successor that it is the owner, and whoever else has to know. */
  | 'hand-over'
  /** Tell the one beside this process that it inherits nothing. */
  | 'release-heir'
  /** Finish what is in flight, or find that the successor has died. */
  | 'drain-for-successor'
  | 'tell-commit'
  /** Confirm a successor that serves beside this process and inherits its role. */
  | 'stand-beside-heir'
  /** Confirm one that serves as well, and inherits nothing. */
  | 'stand-beside-guest'
  | 'forget-heir'
  /** Call the handoff off that is under way. */
  | 'call-off-attempt'
  // ---- in service ----
  /** Accept on what was registered while something else was under way. */
  | 'accept-late'
  /** Undo what was stopped. */
  | 'accept-again'
  /** Open the control path, and tell that this process serves as before: after a pause, a give-back, a failed re-exec. */
  | 'return-from-pause'
  | 'return-from-drain'
  | 'return-in-place'
  | 'open-control'
  | 'close-control'
  /** The service is this process's now. */
  | 'inherit-service'
  | 'write-pid-file'
  /** Node's debugger listens here again, where it did. */
  | 'take-back-debugger'
  | 'write-pid-file-if-free'
  /** Finish what is in flight, and stay. */
  | 'pause'
  // ---- in place ----
  | 'tell-commit-in-place'
  /** Serve the connections here that were set aside for the next image. */
  | 'take-back-survivors'
  // ---- leaving ----
  /** Serve on for a while, and say that this process is about to stop. */
  | 'give-notice'
  | 'stop-accepting'
  /** The same for connections alone: datagrams are received to the end, because nobody else does. */
  | 'stop-accepting-connections'
  /** Those before this one that still drain are to end with it. */
  | 'hasten-generations'
  /** Others serve on them. */
  | 'close-listeners'
  /** Nobody does: socket files go, too. */
  | 'remove-listeners'
  /** What was bound by a `ready()` that has failed. */
  | 'withdraw-listeners'
  | 'call-handoff-hooks'
  | 'call-shutdown-hooks'
  /** Finish what is in flight, and leave. */
  | 'drain'
  /** The same, where the predecessor serves on. */
  | 'drain-called-off'
  /** The same, in what is left of the time that a stop has set. */
  | 'drain-what-is-left'
  /** Have less time for the drain that is under way. */
  | 'shorten-drain'
  /** As much as there is where nobody serves. */
  | 'hurry'
  /** See whether those that share are there at all. */
  | 'watch-sharers'
  /** Let go of everything, and end. */
  | 'leave';
