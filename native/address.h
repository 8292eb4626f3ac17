// Socket addresses: from text for bind and connect, and back to text for describe.
#ifndef FD_HANDOFF_ADDRESS_H_
#define FD_HANDOFF_ADDRESS_H_

#include <sys/socket.h>

#include <string>

namespace fd_handoff {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  sockaddr* Pointer() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* Pointer() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// The same address as text. A Unix address without a name has neither `address` nor `path`.
struct AddressText {
  const char* family = nullptr;
  std::string address;
  int port = -1;
  std::string path;
};

// Zero or a negative errno. Numeric addresses only, with an optional zone on IPv6: names are not looked up.
int ParseInternetAddress(const std::string& text, int port, SocketAddress* result);

// `@name` is a Linux abstract address. ENAMETOOLONG rather than an address that was cut.
int ParseUnixAddress(const std::string& path, SocketAddress* result);

bool IsAbstract(const std::string& path);

AddressText FormatAddress(const SocketAddress& address);

}  // namespace fd_handoff

#endif  // FD_HANDOFF_ADDRESS_H_
