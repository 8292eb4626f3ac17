// Who is at the other end of a Unix socket. The two systems ask so differently that this file is the one marked place.
#include <sys/socket.h>
#include <sys/types.h>
#ifdef __APPLE__
#include <sys/un.h>
#include <unistd.h>
#endif

#include "calls.h"
#include "result.h"

namespace fd_handoff {

namespace {

struct Identity {
  pid_t pid = 0;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
};

int IdentifyPeer(int fd, Identity* identity) {
#ifdef __APPLE__
  if (getpeereid(fd, &identity->uid, &identity->gid) < 0) return -errno;
  socklen_t length = sizeof identity->pid;
  if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &identity->pid, &length) < 0) return -errno;
#else
  ucred credentials = {};
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -errno;
  identity->pid = credentials.pid;
  identity->uid = credentials.uid;
  identity->gid = credentials.gid;
#endif
  // Linux answers with "nobody at all" for a socket that has no peer or is no Unix socket. Nobody may be let in as that.
  return identity->uid == static_cast<uid_t>(-1) ? -ENOTCONN : 0;
}

}  // namespace

// peerCredentials(fd): {pid, uid, gid} or a negative errno
Napi::Value PeerCredentials(const Napi::CallbackInfo& info) {
  Identity identity;
  const int result = IdentifyPeer(IntegerArgument(info, 0), &identity);
  if (result < 0) return ToValue(info, result);
  Napi::Object peer = Napi::Object::New(info.Env());
  peer.Set("pid", Napi::Number::New(info.Env(), identity.pid));
  peer.Set("uid", Napi::Number::New(info.Env(), identity.uid));
  peer.Set("gid", Napi::Number::New(info.Env(), identity.gid));
  return peer;
}

}  // namespace fd_handoff
