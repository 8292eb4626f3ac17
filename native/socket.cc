// Making sockets: bind, connect, listen, accept. Everything made here is close-on-exec and non-blocking.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"
#include "calls.h"
#include "option.h"
#include "platform.h"
#include "result.h"
#include "unique_fd.h"

namespace fd_handoff {

namespace {

int OpenSocket(int family, int type) {
  UniqueFd fd(socket(family, type | kSocketFlags, 0));
  if (fd.Get() < 0) return -errno;
  const int prepared = PrepareSocket(fd.Get());
  return prepared < 0 ? prepared : fd.Release();
}

struct InternetOptions {
  bool ipv6_only;
  bool reuse_address;
  bool reuse_port;
};

int BindInternet(int type, const std::string& text, int port, const InternetOptions& options) {
  SocketAddress address;
  int result = ParseInternetAddress(text, port, &address);
  if (result < 0) return result;
  const int family = address.Pointer()->sa_family;
  UniqueFd fd(OpenSocket(family, type));
  if (fd.Get() < 0) return fd.Get();
  // Said either way, because the default is the system's (net.ipv6.bindv6only).
  if (family == AF_INET6) result = SetOption(fd.Get(), IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only);
  if (result == 0 && options.reuse_address) result = SetOption(fd.Get(), SOL_SOCKET, SO_REUSEADDR, true);
  if (result == 0 && options.reuse_port) result = SetOption(fd.Get(), SOL_SOCKET, SO_REUSEPORT, true);
  if (result == 0) result = ValueOrErrno(bind(fd.Get(), address.Pointer(), address.length));
  return result < 0 ? result : fd.Release();
}

Napi::Value BindInternetCall(const Napi::CallbackInfo& info, int type) {
  const InternetOptions options = {BooleanArgument(info, 2), BooleanArgument(info, 3), BooleanArgument(info, 4)};
  return ToValue(info, BindInternet(type, StringArgument(info, 0), IntegerArgument(info, 1), options));
}

// The umask may have removed bits that were asked for. Adding them afterwards is safe: the file is less open meanwhile.
int AddMissingPermissions(const std::string& path, mode_t mode) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) < 0) return -errno;
  if ((status.st_mode & 0777) == mode || !S_ISSOCK(status.st_mode)) return 0;
  return ValueOrErrno(chmod(path.c_str(), mode));
}

int BindPath(int fd, const std::string& path, const SocketAddress& address, mode_t mode) {
  {
    const BindMode bind_mode(fd, mode);
    if (bind_mode.Result() < 0) return bind_mode.Result();
    if (bind(fd, address.Pointer(), address.length) < 0) return -errno;
  }
  const int result = AddMissingPermissions(path, mode);
  // Whoever is told that it could not be bound does not look for a file. One that is gone was somebody else's to remove.
  if (result < 0 && result != -ENOENT) unlink(path.c_str());
  return result;
}

int BindUnix(const std::string& path, int type, int mode) {
  SocketAddress address;
  int result = ParseUnixAddress(path, &address);
  if (result < 0) return result;
  UniqueFd fd(OpenSocket(AF_UNIX, type));
  if (fd.Get() < 0) return fd.Get();
  if (mode >= 0 && !IsAbstract(path)) {
    result = BindPath(fd.Get(), path, address, static_cast<mode_t>(mode));
  } else {
    result = ValueOrErrno(bind(fd.Get(), address.Pointer(), address.length));
  }
  return result < 0 ? result : fd.Release();
}

// accept(2) on a listener that somebody made blocking would stop the event loop.
int NobodyWaits(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if ((flags & O_NONBLOCK) != 0) return 0;
  pollfd entry = {fd, POLLIN, 0};
  const int ready = RetryInterrupted([&] { return poll(&entry, 1, 0); });
  if (ready < 0) return ready;
  return ready == 0 ? -EAGAIN : 0;
}

}  // namespace

// socketPair(): [number, number] or a negative errno
Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  int fds[2];
  const int result = ValueOrErrno(socketpair(AF_UNIX, SOCK_STREAM | kSocketFlags, 0, fds));
  if (result < 0) return ToValue(info, result);
  UniqueFd one(fds[0]);
  UniqueFd other(fds[1]);
  for (const int fd : fds) {
    const int prepared = PrepareSocket(fd);
    if (prepared < 0) return ToValue(info, prepared);
  }
  Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0U, one.Release());
  pair.Set(1U, other.Release());
  return pair;
}

// bindTcp(address, port, ipv6Only, reuseAddress, reusePort)
Napi::Value BindTcp(const Napi::CallbackInfo& info) { return BindInternetCall(info, SOCK_STREAM); }

// bindUdp(address, port, ipv6Only, reuseAddress, reusePort)
Napi::Value BindUdp(const Napi::CallbackInfo& info) { return BindInternetCall(info, SOCK_DGRAM); }

// bindUnix(path, datagram, mode): mode is -1 for "as the umask has it"
Napi::Value BindUnix(const Napi::CallbackInfo& info) {
  const int type = BooleanArgument(info, 1) ? SOCK_DGRAM : SOCK_STREAM;
  return ToValue(info, BindUnix(StringArgument(info, 0), type, IntegerArgument(info, 2)));
}

// connectUnix(path)
Napi::Value ConnectUnix(const Napi::CallbackInfo& info) {
  SocketAddress address;
  const int parsed = ParseUnixAddress(StringArgument(info, 0), &address);
  if (parsed < 0) return ToValue(info, parsed);
  UniqueFd fd(OpenSocket(AF_UNIX, SOCK_STREAM));
  if (fd.Get() < 0) return ToValue(info, fd.Get());
  const int result = RetryInterrupted([&] { return connect(fd.Get(), address.Pointer(), address.length); });
  return ToValue(info, result < 0 ? result : fd.Release());
}

// listen(fd, backlog)
Napi::Value Listen(const Napi::CallbackInfo& info) {
  return ToValue(info, ValueOrErrno(listen(IntegerArgument(info, 0), IntegerArgument(info, 1))));
}

// accept(fd)
Napi::Value Accept(const Napi::CallbackInfo& info) {
  const int listener = IntegerArgument(info, 0);
  int result = 0;
  do {
    result = NobodyWaits(listener);
    if (result == 0) result = AcceptRaw(listener);
    // ECONNABORTED is about that one connection, which is gone; the next may be fine.
  } while (result == -EINTR || result == -ECONNABORTED);
  if (result < 0) return ToValue(info, result);
  UniqueFd connection(result);
  const int prepared = PrepareSocket(connection.Get());
  return ToValue(info, prepared < 0 ? prepared : connection.Release());
}

}  // namespace fd_handoff
