// Descriptors as such: duplicating, flags, closing, pipes.
#include <fcntl.h>
#include <unistd.h>

#include "calls.h"
#include "platform.h"
#include "result.h"
#include "unique_fd.h"

namespace fd_handoff {

// dup(fd, minimum)
Napi::Value Duplicate(const Napi::CallbackInfo& info) {
  return ToValue(info, ValueOrErrno(fcntl(IntegerArgument(info, 0), F_DUPFD_CLOEXEC, IntegerArgument(info, 1))));
}

// duplicateTo(fd, target). The standard streams are what a program is given across an exec; every other number keeps the
// rule that nothing is inherited by accident.
Napi::Value DuplicateTo(const Napi::CallbackInfo& info) {
  const int fd = IntegerArgument(info, 0);
  const int target = IntegerArgument(info, 1);
  const bool close_on_exec = target > 2;
  if (fd != target) return ToValue(info, DuplicateOnto(fd, target, close_on_exec));
  // dup2 does nothing then, and dup3 refuses.
  const int result = SetCloseOnExec(fd, close_on_exec);
  return ToValue(info, result < 0 ? result : target);
}

// getCloseOnExec(fd): 0 or 1
Napi::Value GetCloseOnExec(const Napi::CallbackInfo& info) {
  const int flags = fcntl(IntegerArgument(info, 0), F_GETFD);
  if (flags < 0) return ToValue(info, -errno);
  return ToValue(info, (flags & FD_CLOEXEC) != 0 ? 1 : 0);
}

// setCloseOnExec(fd, on)
Napi::Value SetCloseOnExec(const Napi::CallbackInfo& info) {
  return ToValue(info, SetCloseOnExec(IntegerArgument(info, 0), BooleanArgument(info, 1)));
}

// getNonBlocking(fd): 0 or 1
Napi::Value GetNonBlocking(const Napi::CallbackInfo& info) {
  const int flags = fcntl(IntegerArgument(info, 0), F_GETFL);
  if (flags < 0) return ToValue(info, -errno);
  return ToValue(info, (flags & O_NONBLOCK) != 0 ? 1 : 0);
}

// setNonBlocking(fd, on)
Napi::Value SetNonBlocking(const Napi::CallbackInfo& info) {
  return ToValue(info, SetNonBlocking(IntegerArgument(info, 0), BooleanArgument(info, 1)));
}

namespace {

int CloseOne(int fd) {
  const int result = ValueOrErrno(close(fd));
  // Interrupted or not, the descriptor is closed (see RetryInterrupted).
  return result == -EINTR ? 0 : result;
}

}  // namespace

// close(fd)
Napi::Value Close(const Napi::CallbackInfo& info) { return ToValue(info, CloseOne(IntegerArgument(info, 0))); }

// closeAll(fds: Int32Array, count): the first error, after all have been tried
Napi::Value CloseAll(const Napi::CallbackInfo& info) {
  const int32_t* fds = BorrowedIntegers(info, 0);
  const int count = IntegerArgument(info, 1);
  int first = 0;
  for (int index = 0; index < count; index++) {
    const int result = CloseOne(fds[index]);
    if (first == 0) first = result;
  }
  return ToValue(info, first);
}

// pipe(): [read, write] or a negative errno. Left blocking: its ends go to programs that expect a pipe to be so.
Napi::Value Pipe(const Napi::CallbackInfo& info) {
  int fds[2];
  const int result = PipeRaw(fds);
  if (result < 0) return ToValue(info, result);
  UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  for (const int fd : fds) {
    const int prepared = PreparePipe(fd);
    if (prepared < 0) return ToValue(info, prepared);
  }
  Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0U, read_end.Release());
  pair.Set(1U, write_end.Release());
  return pair;
}

}  // namespace fd_handoff
