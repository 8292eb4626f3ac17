// What a descriptor is, as far as the kernel tells. lib/fd/describe.ts gives it its final shape.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "address.h"
#include "calls.h"
#include "option.h"
#include "result.h"

namespace fd_handoff {

namespace {

const char* KindOf(mode_t mode) {
  if (S_ISSOCK(mode)) return "socket";
  if (S_ISFIFO(mode)) return "pipe";
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "directory";
  if (S_ISCHR(mode)) return "character-device";
  if (S_ISBLK(mode)) return "block-device";
  return "other";
}

const char* TypeName(int type) {
  switch (type) {
    case SOCK_STREAM:
      return "stream";
    case SOCK_DGRAM:
      return "datagram";
    case SOCK_SEQPACKET:
      return "seqpacket";
    default:
      return nullptr;
  }
}

void SetAddress(Napi::Object object, const AddressText& text) {
  if (text.port >= 0) {
    object.Set("address", text.address);
    object.Set("port", text.port);
  } else if (!text.path.empty()) {
    object.Set("path", text.path);
  }
}

int DescribeSocket(Napi::Object object, int fd) {
  const int type = GetOption(fd, SOL_SOCKET, SO_TYPE);
  if (type < 0) return type;
  const char* type_name = TypeName(type);
  if (type_name != nullptr) object.Set("type", type_name);
  object.Set("listening", Napi::Boolean::New(object.Env(), GetOption(fd, SOL_SOCKET, SO_ACCEPTCONN) > 0));

  SocketAddress own;
  own.length = sizeof own.storage;
  if (getsockname(fd, own.Pointer(), &own.length) < 0) return -errno;
  const AddressText text = FormatAddress(own);
  if (text.family == nullptr) return 0;
  object.Set("family", text.family);
  SetAddress(object, text);
  if (own.storage.ss_family == AF_INET6) {
    object.Set("ipv6Only", Napi::Boolean::New(object.Env(), GetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0));
  }

  SocketAddress other;
  other.length = sizeof other.storage;
  // Not connected, or no longer: there is no peer to tell of.
  if (getpeername(fd, other.Pointer(), &other.length) < 0) return 0;
  const Napi::Object peer = Napi::Object::New(object.Env());
  SetAddress(peer, FormatAddress(other));
  object.Set("peer", peer);
  return 0;
}

}  // namespace

// describe(fd): an object or a negative errno
Napi::Value Describe(const Napi::CallbackInfo& info) {
  const int fd = IntegerArgument(info, 0);
  const int descriptor_flags = fcntl(fd, F_GETFD);
  if (descriptor_flags < 0) return ToValue(info, -errno);
  const int status_flags = fcntl(fd, F_GETFL);
  if (status_flags < 0) return ToValue(info, -errno);
  struct stat status = {};
  if (fstat(fd, &status) < 0) return ToValue(info, -errno);

  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("fd", fd);
  object.Set("kind", KindOf(status.st_mode));
  object.Set("closeOnExec", Napi::Boolean::New(info.Env(), (descriptor_flags & FD_CLOEXEC) != 0));
  object.Set("nonBlocking", Napi::Boolean::New(info.Env(), (status_flags & O_NONBLOCK) != 0));
  if (S_ISSOCK(status.st_mode)) {
    const int result = DescribeSocket(object, fd);
    if (result < 0) return ToValue(info, result);
  }
  return object;
}

}  // namespace fd_handoff
