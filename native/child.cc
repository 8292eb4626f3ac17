// Waiting for one child, and for no other: libuv waits for those that it has started, each by its number.
#include <sys/wait.h>

#include "calls.h"
#include "result.h"

namespace fd_handoff {

// reap(pid): the number if it had ended, 0 while it runs, -ECHILD where it is no child of this process
Napi::Value Reap(const Napi::CallbackInfo& info) {
  return ToValue(info, RetryInterrupted([&] { return waitpid(IntegerArgument(info, 0), nullptr, WNOHANG); }));
}

}  // namespace fd_handoff
