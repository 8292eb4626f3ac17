// Registration only. Nothing here or anywhere in the addon keeps state, so that any number of worker threads can load it.
#include <napi.h>

#include "calls.h"

namespace {

template <Napi::Value (*call)(const Napi::CallbackInfo&)>
void Register(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<call>(exports.Env(), name));
}

Napi::Object Initialize(Napi::Env /*env*/, Napi::Object exports) {
  Register<fd_handoff::Duplicate>(exports, "dup");
  Register<fd_handoff::DuplicateTo>(exports, "duplicateTo");
  Register<fd_handoff::GetCloseOnExec>(exports, "getCloseOnExec");
  Register<fd_handoff::SetCloseOnExec>(exports, "setCloseOnExec");
  Register<fd_handoff::GetNonBlocking>(exports, "getNonBlocking");
  Register<fd_handoff::SetNonBlocking>(exports, "setNonBlocking");
  Register<fd_handoff::Close>(exports, "close");
  Register<fd_handoff::CloseAll>(exports, "closeAll");
  Register<fd_handoff::Pipe>(exports, "pipe");
  Register<fd_handoff::SocketPair>(exports, "socketPair");
  Register<fd_handoff::BindTcp>(exports, "bindTcp");
  Register<fd_handoff::BindUdp>(exports, "bindUdp");
  Register<fd_handoff::BindUnix>(exports, "bindUnix");
  Register<fd_handoff::ConnectUnix>(exports, "connectUnix");
  Register<fd_handoff::Listen>(exports, "listen");
  Register<fd_handoff::Accept>(exports, "accept");
  Register<fd_handoff::SendMessage>(exports, "sendMessage");
  Register<fd_handoff::ReceiveMessage>(exports, "receiveMessage");
  Register<fd_handoff::SendDatagram>(exports, "sendDatagram");
  Register<fd_handoff::PeerCredentials>(exports, "peerCredentials");
  Register<fd_handoff::GetReuse>(exports, "getReuse");
  Register<fd_handoff::SetReuse>(exports, "setReuse");
  Register<fd_handoff::Describe>(exports, "describe");
  Register<fd_handoff::Lock>(exports, "lock");
  Register<fd_handoff::Unlock>(exports, "unlock");
  Register<fd_handoff::MemoryFile>(exports, "memoryFile");
  Register<fd_handoff::Reap>(exports, "reap");
  Register<fd_handoff::Execute>(exports, "exec");
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Initialize)
