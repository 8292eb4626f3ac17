// Who else may bind to the address that a socket has.
#include "calls.h"
#include "option.h"
#include "result.h"

namespace fd_handoff {

// getReuse(fd): bit 0 is SO_REUSEADDR and bit 1 SO_REUSEPORT, or a negative errno
Napi::Value GetReuse(const Napi::CallbackInfo& info) {
  const int fd = IntegerArgument(info, 0);
  const int address = GetOption(fd, SOL_SOCKET, SO_REUSEADDR);
  if (address < 0) return ToValue(info, address);
  const int port = GetOption(fd, SOL_SOCKET, SO_REUSEPORT);
  if (port < 0) return ToValue(info, port);
  // Any number but zero is "on": macOS answers with the option's own bit.
  return ToValue(info, (address != 0 ? 1 : 0) | (port != 0 ? 2 : 0));
}

// setReuse(fd, address, port)
Napi::Value SetReuse(const Napi::CallbackInfo& info) {
  const int fd = IntegerArgument(info, 0);
  const int result = SetOption(fd, SOL_SOCKET, SO_REUSEADDR, BooleanArgument(info, 1));
  return ToValue(info, result < 0 ? result : SetOption(fd, SOL_SOCKET, SO_REUSEPORT, BooleanArgument(info, 2)));
}

}  // namespace fd_handoff
