// Everything in which Linux and macOS differ, each difference in one place. Linux sets close-on-exec and non-blocking in
// the call that makes the descriptor; macOS can only set them right after, so a fork in another thread may see the
// descriptor in between. FD_HANDOFF_FORCE_FALLBACK compiles the second way on Linux too, so that it can be tested there.
#ifndef FD_HANDOFF_PLATFORM_H_
#define FD_HANDOFF_PLATFORM_H_

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "result.h"

#if defined(__linux__) && !defined(FD_HANDOFF_FORCE_FALLBACK)
#define FD_HANDOFF_ATOMIC_FLAGS 1
#endif

namespace fd_handoff {

// --- Setting the flags afterwards ------------------------------------------------------------------------------------

inline int SetCloseOnExec(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFD);
  if (flags < 0) return -errno;
  const int wanted = on ? (flags | FD_CLOEXEC) : (flags & ~FD_CLOEXEC);
  return wanted == flags ? 0 : ValueOrErrno(fcntl(fd, F_SETFD, wanted));
}

inline int SetNonBlocking(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  const int wanted = on ? (flags | O_NONBLOCK) : (flags & ~O_NONBLOCK);
  return wanted == flags ? 0 : ValueOrErrno(fcntl(fd, F_SETFL, wanted));
}

// --- Making descriptors: SOCK_CLOEXEC, SOCK_NONBLOCK, accept4, pipe2, dup3 --------------------------------------------

// Close-on-exec and non-blocking on a new socket, where the call that made it could not set them. A Unix socket made by
// a process that does not ignore SIGPIPE must not kill it, hence SO_NOSIGPIPE where it exists (MSG_NOSIGNAL elsewhere).
inline int PrepareSocket([[maybe_unused]] int fd) {
#ifdef FD_HANDOFF_ATOMIC_FLAGS
  return 0;
#else
#ifdef SO_NOSIGPIPE
  const int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) < 0) return -errno;
#endif
  const int result = SetCloseOnExec(fd, true);
  return result < 0 ? result : SetNonBlocking(fd, true);
#endif
}

#ifdef FD_HANDOFF_ATOMIC_FLAGS
constexpr int kSocketFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;
#else
constexpr int kSocketFlags = 0;
#endif

inline int AcceptRaw(int fd) {
#ifdef FD_HANDOFF_ATOMIC_FLAGS
  return ValueOrErrno(accept4(fd, nullptr, nullptr, kSocketFlags));
#else
  return ValueOrErrno(accept(fd, nullptr, nullptr));
#endif
}

inline int PipeRaw(int (&fds)[2]) {
#ifdef FD_HANDOFF_ATOMIC_FLAGS
  return ValueOrErrno(pipe2(fds, O_CLOEXEC));
#else
  return ValueOrErrno(pipe(fds));
#endif
}

inline int PreparePipe([[maybe_unused]] int fd) {
#ifdef FD_HANDOFF_ATOMIC_FLAGS
  return 0;
#else
  return SetCloseOnExec(fd, true);
#endif
}

// `target` differs from `fd`.
inline int DuplicateOnto(int fd, int target, bool close_on_exec) {
#ifdef FD_HANDOFF_ATOMIC_FLAGS
  return RetryInterrupted([&] { return dup3(fd, target, close_on_exec ? O_CLOEXEC : 0); });
#else
  const int result = RetryInterrupted([&] { return dup2(fd, target); });
  if (result < 0 || !close_on_exec) return result;
  const int prepared = SetCloseOnExec(target, true);
  return prepared < 0 ? prepared : target;
#endif
}

// --- Messages: MSG_CMSG_CLOEXEC, MSG_NOSIGNAL -------------------------------------------------------------------------

// MSG_DONTWAIT on both, because O_NONBLOCK belongs to the open file description, and another process that shares it may
// have cleared it.
#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int kSendFlags = MSG_DONTWAIT;
#endif

#ifdef FD_HANDOFF_ATOMIC_FLAGS
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
#else
constexpr int kReceiveFlags = MSG_DONTWAIT;
#endif

inline int PrepareReceived([[maybe_unused]] int fd) {
#ifdef FD_HANDOFF_ATOMIC_FLAGS
  return 0;
#else
  return SetCloseOnExec(fd, true);
#endif
}

// macOS reports a full buffer as EMSGSIZE when descriptors do not fit into it.
inline int SendError(int result) {
#ifdef __APPLE__
  if (result == -EMSGSIZE || result == -ENOBUFS) return -EAGAIN;
#endif
  return result;
}

// Linux: a control message with one more kind of descriptor in it (SO_PASSPIDFD), which older headers do not name.
#ifdef __linux__
constexpr int kControlPidFd = 4;
#else
constexpr int kControlPidFd = -1;
#endif

// --- Binding a path with a mode ---------------------------------------------------------------------------------------

// Makes bind(2) create the socket file with at most the mode's permission bits, so that there is no moment at which it
// is more open than asked.
class BindMode {
 public:
  BindMode([[maybe_unused]] int fd, [[maybe_unused]] mode_t mode) {
#ifdef FD_HANDOFF_ATOMIC_FLAGS
    // unix(7) does not say it, but bind gives the file the socket inode's mode less the umask.
    result_ = ValueOrErrno(fchmod(fd, mode));
#else
    // fchmod on an unbound socket fails on macOS. The umask belongs to the whole process; it only gets stricter here,
    // so a file that another thread creates meanwhile may get too few permissions, never too many.
    previous_ = umask(0777);
    umask(previous_ | (~mode & 0777));
#endif
  }

  ~BindMode() {
#ifndef FD_HANDOFF_ATOMIC_FLAGS
    umask(previous_);
#endif
  }

  BindMode(const BindMode&) = delete;
  BindMode& operator=(const BindMode&) = delete;

  [[nodiscard]] int Result() const { return result_; }

 private:
  int result_ = 0;
#ifndef FD_HANDOFF_ATOMIC_FLAGS
  mode_t previous_ = 0;
#endif
};

// --- Files without a file system: memfd_create -----------------------------------------------------------------------

// By its number: glibc has a function for it since 2.27, and the prebuilt addon works with older ones. Since Linux 6.3
// whoever makes such a file has to say whether it can be executed, and a machine can refuse those who do not; older ones do
// not know the word for it. macOS has only shm_open, whose objects can be mapped, but neither written nor read.
inline int MemoryFileRaw([[maybe_unused]] const char* name) {
#ifdef FD_HANDOFF_ATOMIC_FLAGS
  constexpr unsigned kCloseOnExec = 1;
  constexpr unsigned kNoExecSeal = 8;
  const int sealed = ValueOrErrno(syscall(SYS_memfd_create, name, kCloseOnExec | kNoExecSeal));
  return sealed == -EINVAL ? ValueOrErrno(syscall(SYS_memfd_create, name, kCloseOnExec)) : sealed;
#else
  return -ENOSYS;
#endif
}

// --- Abstract addresses -----------------------------------------------------------------------------------------------

#ifdef __linux__
constexpr bool kAbstractAddresses = true;
#else
constexpr bool kAbstractAddresses = false;
#endif

}  // namespace fd_handoff

#endif  // FD_HANDOFF_PLATFORM_H_
