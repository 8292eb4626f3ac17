#include "message.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

#include "arrivals.h"
#include "calls.h"
#include "platform.h"
#include "result.h"
#include "unique_fd.h"

namespace fd_handoff {

namespace {

struct SendControl {
  alignas(cmsghdr) unsigned char bytes[CMSG_SPACE(sizeof(int) * kMaximumDescriptors)];
};

// Room for the most descriptors that can come and for control messages of other kinds beside them. A buffer cut to what
// the caller wants would lose descriptors (Linux) or leak them (macOS) instead of letting them be counted and closed.
struct ReceiveControl {
  alignas(cmsghdr) unsigned char bytes[4096];
};

}  // namespace

int SendWithDescriptors(int fd, const void* data, size_t length, const int32_t* descriptors, size_t count,
                        const SocketAddress* destination) {
  iovec bytes = {const_cast<void*>(data), length};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (destination != nullptr) {
    message.msg_name = const_cast<sockaddr*>(destination->Pointer());
    message.msg_namelen = destination->length;
  }
  // Not cleared as a whole: what the kernel reads is written here.
  SendControl control;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  if (count > 0) {
    if (count > kMaximumDescriptors) return -EINVAL;
    message.msg_control = control.bytes;
    message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(sizeof(int) * count));
    // The kernel copies the padding behind an odd number of descriptors, too.
    memset(control.bytes, 0, message.msg_controllen);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(sizeof(int) * count));
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
  }
  const int result = RetryInterrupted([&] { return sendmsg(fd, &message, kSendFlags); });
  return count > 0 ? SendError(result) : result;
}

int ReceiveWithDescriptors(int fd, void* data, size_t length, int32_t* received, size_t maximum) {
  iovec bytes = {data, length};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  // Not cleared, because the kernel writes what is read of it.
  ReceiveControl control;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  received[0] = 0;
  const int result = RetryInterrupted([&] { return recvmsg(fd, &message, kReceiveFlags); });
  if (result < 0) return result;
  const bool cut = (message.msg_flags & MSG_CTRUNC) != 0;
  TakeDescriptors(control.bytes, message.msg_controllen, cut, received, maximum);
  return result;
}

// sendMessage(fd, data, descriptors: Int32Array, count)
Napi::Value SendMessage(const Napi::CallbackInfo& info) {
  const BorrowedBytes data(info, 1);
  const int32_t* descriptors = BorrowedIntegers(info, 2);
  const auto count = static_cast<size_t>(IntegerArgument(info, 3));
  return ToValue(info,
                 SendWithDescriptors(IntegerArgument(info, 0), data.data, data.length, descriptors, count, nullptr));
}

// receiveMessage(fd, data, length, received: Int32Array, maximum)
Napi::Value ReceiveMessage(const Napi::CallbackInfo& info) {
  const BorrowedBytes data(info, 1);
  const auto length = static_cast<size_t>(IntegerArgument(info, 2));
  int32_t* received = BorrowedIntegers(info, 3);
  const auto maximum = static_cast<size_t>(IntegerArgument(info, 4));
  return ToValue(info, ReceiveWithDescriptors(IntegerArgument(info, 0), data.data, length, received, maximum));
}

// sendDatagram(path, data, descriptors: Int32Array, count)
Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  SocketAddress address;
  const int parsed = ParseUnixAddress(StringArgument(info, 0), &address);
  if (parsed < 0) return ToValue(info, parsed);
  const BorrowedBytes data(info, 1);
  const int32_t* descriptors = BorrowedIntegers(info, 2);
  const auto count = static_cast<size_t>(IntegerArgument(info, 3));
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | kSocketFlags, 0));
  if (fd.Get() < 0) return ToValue(info, -errno);
  const int prepared = PrepareSocket(fd.Get());
  if (prepared < 0) return ToValue(info, prepared);
  return ToValue(info, SendWithDescriptors(fd.Get(), data.data, data.length, descriptors, count, &address));
}

}  // namespace fd_handoff
