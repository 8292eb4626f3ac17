#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "platform.h"

namespace fd_handoff {

namespace {

// The zone of fe80::1%eth0: an interface's name or its number. Zero when there is no such interface.
unsigned ParseZone(const std::string& zone) {
  const unsigned index = if_nametoindex(zone.c_str());
  if (index != 0) return index;
  char* end = nullptr;
  const unsigned long number = strtoul(zone.c_str(), &end, 10);
  return *end == '\0' ? static_cast<unsigned>(number) : 0;
}

std::string FormatZone(unsigned index) {
  char name[IF_NAMESIZE];
  return if_indextoname(index, name) != nullptr ? std::string(name) : std::to_string(index);
}

AddressText FormatIPv4(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN];
  AddressText result;
  result.family = "ipv4";
  if (inet_ntop(AF_INET, &address.sin_addr, text, sizeof text) != nullptr) result.address = text;
  result.port = ntohs(address.sin_port);
  return result;
}

AddressText FormatIPv6(const sockaddr_in6& address) {
  char text[INET6_ADDRSTRLEN];
  AddressText result;
  result.family = "ipv6";
  if (inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text) != nullptr) result.address = text;
  if (address.sin6_scope_id != 0) result.address += "%" + FormatZone(address.sin6_scope_id);
  result.port = ntohs(address.sin6_port);
  return result;
}

AddressText FormatUnix(const sockaddr_un& address, socklen_t length) {
  AddressText result;
  result.family = "unix";
  if (length <= offsetof(sockaddr_un, sun_path)) return result;
  const size_t room = length - offsetof(sockaddr_un, sun_path);
  if (address.sun_path[0] == '\0') {
    // macOS pads an address without a name with zeroes.
    if (kAbstractAddresses) result.path = "@" + std::string(address.sun_path + 1, room - 1);
    return result;
  }
  // The kernel may or may not have counted a trailing NUL.
  result.path.assign(address.sun_path, strnlen(address.sun_path, room));
  // A relative path that happens to begin with @ must not read like an abstract address.
  if (result.path[0] == '@') result.path.insert(0, "./");
  return result;
}

}  // namespace

bool IsAbstract(const std::string& path) { return !path.empty() && path[0] == '@'; }

int ParseInternetAddress(const std::string& text, int port, SocketAddress* result) {
  auto* ipv4 = reinterpret_cast<sockaddr_in*>(&result->storage);
  if (inet_pton(AF_INET, text.c_str(), &ipv4->sin_addr) == 1) {
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(static_cast<uint16_t>(port));
    result->length = sizeof *ipv4;
    return 0;
  }
  const size_t percent = text.find('%');
  auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&result->storage);
  if (inet_pton(AF_INET6, text.substr(0, percent).c_str(), &ipv6->sin6_addr) != 1) return -EINVAL;
  if (percent != std::string::npos) {
    ipv6->sin6_scope_id = ParseZone(text.substr(percent + 1));
    if (ipv6->sin6_scope_id == 0) return -ENODEV;
  }
  ipv6->sin6_family = AF_INET6;
  ipv6->sin6_port = htons(static_cast<uint16_t>(port));
  result->length = sizeof *ipv6;
  return 0;
}

int ParseUnixAddress(const std::string& path, SocketAddress* result) {
  auto* address = reinterpret_cast<sockaddr_un*>(&result->storage);
  const bool abstract = IsAbstract(path);
  if (abstract && !kAbstractAddresses) return -ENOTSUP;
  // The first byte of an abstract address takes the @'s place and nothing ends it; a path is ended by a NUL.
  const size_t needed = abstract ? path.size() : path.size() + 1;
  if (needed > sizeof address->sun_path) return -ENAMETOOLONG;
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path.data(), path.size());
  if (abstract) address->sun_path[0] = '\0';
  result->length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + needed);
  return 0;
}

AddressText FormatAddress(const SocketAddress& address) {
  switch (address.storage.ss_family) {
    case AF_INET:
      return FormatIPv4(reinterpret_cast<const sockaddr_in&>(address.storage));
    case AF_INET6:
      return FormatIPv6(reinterpret_cast<const sockaddr_in6&>(address.storage));
    case AF_UNIX:
      return FormatUnix(reinterpret_cast<const sockaddr_un&>(address.storage), address.length);
    default:
      return {};
  }
}

}  // namespace fd_handoff
