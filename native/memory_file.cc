// A file without a file system: what an exec is survived by, on a machine that can be written nowhere.
#include "calls.h"
#include "platform.h"
#include "result.h"

namespace fd_handoff {

// memoryFile(name): a descriptor, or -ENOSYS where the system has no such files
Napi::Value MemoryFile(const Napi::CallbackInfo& info) {
  return ToValue(info, MemoryFileRaw(StringArgument(info, 0).c_str()));
}

}  // namespace fd_handoff
