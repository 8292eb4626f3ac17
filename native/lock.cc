// flock(2): the lock belongs to the open file description, so it ends with the process whatever happens to it.
#include <sys/file.h>

#include "calls.h"
#include "result.h"

namespace fd_handoff {

// lock(fd): 0, or -EAGAIN while another open file description has it
Napi::Value Lock(const Napi::CallbackInfo& info) {
  return ToValue(info, RetryInterrupted([&] { return flock(IntegerArgument(info, 0), LOCK_EX | LOCK_NB); }));
}

// unlock(fd)
Napi::Value Unlock(const Napi::CallbackInfo& info) {
  return ToValue(info, RetryInterrupted([&] { return flock(IntegerArgument(info, 0), LOCK_UN); }));
}

}  // namespace fd_handoff
