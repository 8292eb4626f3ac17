// libFuzzer's target for what takes descriptors out of received control messages (`npm run fuzz`). The first byte of an
// input says how it is to be read, the second for how many descriptors there is room.
//
// close(2) and fcntl(2) are replaced by the linker (--wrap): the numbers in an input are nobody's descriptors. Every one
// of them has to be kept or closed, and none twice.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../../../native/arrivals.h"
#include "../../../native/message.h"
#include "../../../native/platform.h"

namespace {

// The replaced calls have no other way to what is called for an input.
bool inside = false;      // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::vector<int> closed;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void Expect(bool holds) {
  if (!holds) abort();
}

struct Result {
  int count;
  std::vector<int> kept;
};

// With memory that ends where it is to end, so that the sanitizer sees a step beyond.
Result Take(const std::vector<unsigned char>& control, bool cut, size_t room) {
  const std::unique_ptr<unsigned char[]> bytes(new unsigned char[control.size()]);
  std::copy(control.begin(), control.end(), bytes.get());
  const std::unique_ptr<int32_t[]> received(new int32_t[room + 1]);
  closed.clear();
  inside = true;
  fd_handoff::TakeDescriptors(bytes.get(), control.size(), cut, received.get(), room);
  inside = false;
  const int count = received[0];
  Expect(count == fd_handoff::kTruncatedBySystem || count == fd_handoff::kMoreThanAsked ||
         (count >= 0 && static_cast<size_t>(count) <= room));
  Result result = {count, {}};
  if (count > 0) result.kept.assign(received.get() + 1, received.get() + 1 + count);
  return result;
}

// Any bytes: whatever they are, no byte outside of them is read, and of a message that was cut nothing is kept.
void TakeAnything(const std::vector<unsigned char>& control, bool cut, size_t room) {
  const Result result = Take(control, cut, room);
  Expect(!cut || result.count == fd_handoff::kTruncatedBySystem);
  Expect(result.count >= 0 ? closed.size() <= control.size() / sizeof(int) : result.kept.empty());
}

void Append(std::vector<unsigned char>* control, int level, int type, const std::vector<int>& values) {
  const size_t start = control->size();
  control->resize(start + CMSG_SPACE(values.size() * sizeof(int)));
  cmsghdr header = {};
  header.cmsg_len = CMSG_LEN(values.size() * sizeof(int));
  header.cmsg_level = level;
  header.cmsg_type = type;
  memcpy(control->data() + start, &header, sizeof header);
  if (!values.empty()) memcpy(control->data() + start + CMSG_LEN(0), values.data(), values.size() * sizeof(int));
}

// Messages as a kernel writes them, each byte of the input one: its kind and how many descriptors it has. Which of them
// are kept and which are closed is known then.
void TakeWellFormed(const uint8_t* data, size_t size, bool cut, size_t room) {
  std::vector<unsigned char> control;
  std::vector<int> rights;
  std::vector<int> others;
  int next = 1000;
  for (size_t index = 0; index < size && control.size() < 4096; index++) {
    std::vector<int> values(data[index] >> 2);
    for (int& value : values) value = next++;
    switch (data[index] & 3) {
      case 0:
        Append(&control, SOL_SOCKET, SCM_CREDENTIALS, values);
        break;
      case 1:
        Append(&control, SOL_SOCKET, fd_handoff::kControlPidFd, values);
        if (!values.empty()) others.push_back(values.front());
        break;
      case 2:
        Append(&control, IPPROTO_IP, SCM_RIGHTS, values);
        break;
      default:
        Append(&control, SOL_SOCKET, SCM_RIGHTS, values);
        rights.insert(rights.end(), values.begin(), values.end());
    }
  }
  const Result result = Take(control, cut, room);
  const bool keeps = !cut && rights.size() <= room;
  Expect(result.kept == (keeps ? rights : std::vector<int>()));
  Expect((result.count == fd_handoff::kTruncatedBySystem) == cut);
  if (!keeps) others.insert(others.end(), rights.begin(), rights.end());
  std::sort(others.begin(), others.end());
  std::sort(closed.begin(), closed.end());
  Expect(closed == others);
}

}  // namespace

// The linker's names for the calls and for what they were.
// NOLINTBEGIN(bugprone-reserved-identifier,cert-*,readability-identifier-naming)
extern "C" int __real_close(int fd);
extern "C" int __wrap_close(int fd) {
  if (!inside) return __real_close(fd);
  closed.push_back(fd);
  return 0;
}

// The fallback of macOS asks for the flags of what it received, and sets them.
extern "C" int __real_fcntl(int fd, int command, long argument);
extern "C" int __wrap_fcntl(int fd, int command, long argument) {
  return inside ? 0 : __real_fcntl(fd, command, argument);
}
// NOLINTEND(bugprone-reserved-identifier,cert-*,readability-identifier-naming)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool cut = (data[0] & 1) != 0;
  const bool well_formed = (data[0] & 2) != 0;
  const size_t room = std::min<size_t>(data[1], fd_handoff::kMaximumDescriptors);
  if (well_formed) {
    TakeWellFormed(data + 2, size - 2, cut, room);
  } else {
    TakeAnything({data + 2, data + size}, cut, room);
  }
  return 0;
}
