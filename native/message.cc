#include "message.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "calls.h"
#include "platform.h"
#include "result.h"
#include "unique_fd.h"

namespace fd_handoff {

namespace {

static_assert(sizeof(int) == sizeof(int32_t), "descriptors are borrowed from JavaScript as an Int32Array");

union SendControl {
  cmsghdr alignment;
  char bytes[CMSG_SPACE(sizeof(int) * kMaximumDescriptors)];
};

// Room for the most descriptors that can come and for control messages of other kinds beside them. A buffer cut to what
// the caller wants would lose descriptors (Linux) or leak them (macOS) instead of letting them be counted and closed.
union ReceiveControl {
  cmsghdr alignment;
  char bytes[4096];
};

// Owns what arrived until all of it is known to be wanted.
class Arrivals {
 public:
  Arrivals(int32_t* descriptors, size_t room) : descriptors_(descriptors), room_(room) {}
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;

  ~Arrivals() {
    for (size_t index = 0; index < count_; index++) close(descriptors_[index]);
  }

  // Every control message: there may be several with descriptors, and padding in CMSG_SPACE lets through more than the
  // room was meant for, so the length of each counts.
  int Take(msghdr* message) {
    for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = NextControlMessage(message, header)) {
      if (header->cmsg_level != SOL_SOCKET) continue;
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      const unsigned char* data = CMSG_DATA(header);
      if (header->cmsg_type == SCM_RIGHTS) {
        for (size_t index = 0; index < count; index++) Add(data + index * sizeof(int));
      } else if (header->cmsg_type == kControlPidFd && count > 0) {
        int descriptor;
        memcpy(&descriptor, data, sizeof descriptor);
        if (descriptor >= 0) close(descriptor);
      }
    }
    for (size_t index = 0; index < count_; index++) {
      if (PrepareReceived(descriptors_[index]) < 0) return kTruncatedBySystem;
    }
    return overflow_ ? kMoreThanAsked : static_cast<int>(count_);
  }

  void Keep() { count_ = 0; }

 private:
  void Add(const unsigned char* data) {
    int descriptor;
    memcpy(&descriptor, data, sizeof descriptor);
    if (count_ < room_) {
      descriptors_[count_++] = descriptor;
    } else {
      overflow_ = true;
      close(descriptor);
    }
  }

  int32_t* descriptors_;
  size_t room_;
  size_t count_ = 0;
  bool overflow_ = false;
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
  // Not cleared as a whole: everything in it that the kernel reads is written here.
  SendControl control;
  if (count > 0) {
    if (count > kMaximumDescriptors) return -EINVAL;
    message.msg_control = control.bytes;
    message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(sizeof(int) * count));
    cmsghdr* header = &control.alignment;
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
  ReceiveControl control;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  received[0] = 0;
  const int result = RetryInterrupted([&] { return recvmsg(fd, &message, kReceiveFlags); });
  if (result < 0 || message.msg_controllen == 0) {
    if (result >= 0 && (message.msg_flags & MSG_CTRUNC) != 0) received[0] = kTruncatedBySystem;
    return result;
  }
  Arrivals arrivals(received + 1, maximum);
  const int taken = arrivals.Take(&message);
  const bool cut = (message.msg_flags & MSG_CTRUNC) != 0;
  received[0] = cut ? kTruncatedBySystem : taken;
  if (received[0] >= 0) arrivals.Keep();
  return result;
}

// sendMessage(fd, data, descriptors: Int32Array, count)
Napi::Value SendMessage(const Napi::CallbackInfo& info) {
  const BorrowedBytes data(info, 1);
  const int32_t* descriptors = BorrowedIntegers(info, 2);
  const size_t count = static_cast<size_t>(IntegerArgument(info, 3));
  return ToValue(info,
                 SendWithDescriptors(IntegerArgument(info, 0), data.data, data.length, descriptors, count, nullptr));
}

// receiveMessage(fd, data, length, received: Int32Array, maximum)
Napi::Value ReceiveMessage(const Napi::CallbackInfo& info) {
  const BorrowedBytes data(info, 1);
  const size_t length = static_cast<size_t>(IntegerArgument(info, 2));
  int32_t* received = BorrowedIntegers(info, 3);
  const size_t maximum = static_cast<size_t>(IntegerArgument(info, 4));
  return ToValue(info, ReceiveWithDescriptors(IntegerArgument(info, 0), data.data, length, received, maximum));
}

// sendDatagram(path, data, descriptors: Int32Array, count)
Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  SocketAddress address;
  const int parsed = ParseUnixAddress(StringArgument(info, 0), &address);
  if (parsed < 0) return ToValue(info, parsed);
  const BorrowedBytes data(info, 1);
  const int32_t* descriptors = BorrowedIntegers(info, 2);
  const size_t count = static_cast<size_t>(IntegerArgument(info, 3));
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | kSocketFlags, 0));
  if (fd.Get() < 0) return ToValue(info, -errno);
  const int prepared = PrepareSocket(fd.Get());
  if (prepared < 0) return ToValue(info, prepared);
  return ToValue(info, SendWithDescriptors(fd.Get(), data.data, data.length, descriptors, count, &address));
}

}  // namespace fd_handoff
