// One sendmsg and one recvmsg with descriptors (SCM_RIGHTS), on memory that the caller owns.
#ifndef FD_HANDOFF_MESSAGE_H_
#define FD_HANDOFF_MESSAGE_H_

#include <cstddef>
#include <cstdint>

#include "address.h"

namespace fd_handoff {

// Linux refuses 254 with EINVAL (SCM_MAX_FD). lib/fd/message.ts has the same number.
constexpr size_t kMaximumDescriptors = 253;

// The bytes written, or a negative errno. `destination` may be null for a connected socket.
int SendWithDescriptors(int fd, const void* data, size_t length, const int32_t* descriptors, size_t count,
                        const SocketAddress* destination);

// The bytes read, or a negative errno. `received` is as TakeDescriptors leaves it.
int ReceiveWithDescriptors(int fd, void* data, size_t length, int32_t* received, size_t maximum);

}  // namespace fd_handoff

#endif  // FD_HANDOFF_MESSAGE_H_
