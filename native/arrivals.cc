#include "arrivals.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "platform.h"

namespace fd_handoff {

namespace {

static_assert(sizeof(int) == sizeof(int32_t), "descriptors are borrowed from JavaScript as an Int32Array");
static_assert(CMSG_LEN(0) >= sizeof(cmsghdr), "a header that is there is there as a whole");

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
  // room was meant for, so the length of each counts. CMSG_NXTHDR is not used, because C libraries differ in what they
  // make of a length that is too small for a header or leads beyond the end. False for such a length: what it belongs
  // to is not all there.
  bool Take(const unsigned char* control, size_t length) {
    while (length >= CMSG_LEN(0)) {
      cmsghdr header = {};
      memcpy(&header, control, sizeof header);
      if (header.cmsg_len < CMSG_LEN(0)) return false;
      const size_t there = std::min<size_t>(header.cmsg_len, length);
      TakeOne(header, control + CMSG_LEN(0), (there - CMSG_LEN(0)) / sizeof(int));
      if (there < header.cmsg_len) return false;
      const size_t space = std::min<size_t>(CMSG_SPACE(there - CMSG_LEN(0)), length);
      control += space;
      length -= space;
    }
    return true;
  }

  bool Prepare() {
    return std::all_of(descriptors_, descriptors_ + count_, [](int fd) { return PrepareReceived(fd) >= 0; });
  }

  [[nodiscard]] bool Overflow() const { return overflow_; }

  // They are the caller's from now on.
  int Release() {
    const size_t count = count_;
    count_ = 0;
    return static_cast<int>(count);
  }

 private:
  void TakeOne(const cmsghdr& header, const unsigned char* data, size_t count) {
    if (header.cmsg_level != SOL_SOCKET) return;
    if (header.cmsg_type == SCM_RIGHTS) {
      for (size_t index = 0; index < count; index++) Add(DescriptorAt(data, index));
    } else if (header.cmsg_type == kControlPidFd && count > 0) {
      const int descriptor = DescriptorAt(data, 0);
      // The kernel puts an errno there, negated, when it could not make one.
      if (descriptor >= 0) close(descriptor);
    }
  }

  static int DescriptorAt(const unsigned char* data, size_t index) {
    int descriptor = -1;
    memcpy(&descriptor, data + (index * sizeof descriptor), sizeof descriptor);
    return descriptor;
  }

  void Add(int descriptor) {
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

void TakeDescriptors(const unsigned char* control, size_t length, bool cut, int32_t* received, size_t maximum) {
  Arrivals arrivals(received + 1, maximum);
  const bool whole = arrivals.Take(control, length);
  if (cut || !whole || !arrivals.Prepare()) {
    received[0] = kTruncatedBySystem;
  } else {
    received[0] = arrivals.Overflow() ? kMoreThanAsked : arrivals.Release();
  }
}

}  // namespace fd_handoff
