// Reading and writing a socket's options of one int.
#ifndef FD_HANDOFF_OPTION_H_
#define FD_HANDOFF_OPTION_H_

#include <sys/socket.h>

#include "result.h"

namespace fd_handoff {

// The option's value, or a negative errno.
inline int GetOption(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, level, name, &value, &length) < 0 ? -errno : value;
}

// On or off; every option that is set here is one of these.
inline int SetOption(int fd, int level, int name, bool on) {
  const int value = on ? 1 : 0;
  return ValueOrErrno(setsockopt(fd, level, name, &value, sizeof value));
}

}  // namespace fd_handoff

#endif  // FD_HANDOFF_OPTION_H_
