// Registration only. Nothing here or anywhere in the addon keeps state, so that any number of worker threads can load it.
#include <napi.h>

#include "calls.h"

namespace {

template <Napi::Value (*call)(const Napi::CallbackInfo&)>
void Register(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<call>(exports.Env(), name));
}

Napi::Object Initialize(Napi::Env, Napi::Object exports) {
  using namespace fd_handoff;
  Register<Duplicate>(exports, "dup");
  Register<DuplicateTo>(exports, "duplicateTo");
  Register<GetCloseOnExec>(exports, "getCloseOnExec");
  Register<SetCloseOnExec>(exports, "setCloseOnExec");
  Register<GetNonBlocking>(exports, "getNonBlocking");
  Register<SetNonBlocking>(exports, "setNonBlocking");
  Register<Close>(exports, "close");
  Register<CloseAll>(exports, "closeAll");
  Register<Pipe>(exports, "pipe");
  Register<SocketPair>(exports, "socketPair");
  Register<BindTcp>(exports, "bindTcp");
  Register<BindUdp>(exports, "bindUdp");
  Register<BindUnix>(exports, "bindUnix");
  Register<ConnectUnix>(exports, "connectUnix");
  Register<Listen>(exports, "listen");
  Register<Accept>(exports, "accept");
  Register<SendMessage>(exports, "sendMessage");
  Register<ReceiveMessage>(exports, "receiveMessage");
  Register<SendDatagram>(exports, "sendDatagram");
  Register<PeerCredentials>(exports, "peerCredentials");
  Register<GetReuse>(exports, "getReuse");
  Register<SetReuse>(exports, "setReuse");
  Register<Describe>(exports, "describe");
  Register<Lock>(exports, "lock");
  Register<Unlock>(exports, "unlock");
  Register<Execute>(exports, "exec");
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Initialize)
