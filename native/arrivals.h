// The descriptors that came with a message, taken out of its control messages as recvmsg(2) left them. No socket is
// needed for it, so that it can be tried with any bytes (test/native/fuzz).
#ifndef FD_HANDOFF_ARRIVALS_H_
#define FD_HANDOFF_ARRIVALS_H_

#include <cstddef>
#include <cstdint>

namespace fd_handoff {

// What became of the descriptors of a message; a negative count tells why they were all closed.
constexpr int kTruncatedBySystem = -1;
constexpr int kMoreThanAsked = -2;

// `cut`: the system has said that it left something out. received[0] is the count, the descriptors follow; there has to
// be room for `maximum` of them.
void TakeDescriptors(const unsigned char* control, size_t length, bool cut, int32_t* received, size_t maximum);

}  // namespace fd_handoff

#endif  // FD_HANDOFF_ARRIVALS_H_
