// The functions that JavaScript sees. lib/fd/native.ts declares their arguments and results.
#ifndef FD_HANDOFF_CALLS_H_
#define FD_HANDOFF_CALLS_H_

#include <napi.h>

namespace fd_handoff {

// descriptor.cc
Napi::Value Duplicate(const Napi::CallbackInfo& info);
Napi::Value DuplicateTo(const Napi::CallbackInfo& info);
Napi::Value GetCloseOnExec(const Napi::CallbackInfo& info);
Napi::Value SetCloseOnExec(const Napi::CallbackInfo& info);
Napi::Value GetNonBlocking(const Napi::CallbackInfo& info);
Napi::Value SetNonBlocking(const Napi::CallbackInfo& info);
Napi::Value Close(const Napi::CallbackInfo& info);
Napi::Value CloseAll(const Napi::CallbackInfo& info);
Napi::Value Pipe(const Napi::CallbackInfo& info);

// socket.cc
Napi::Value SocketPair(const Napi::CallbackInfo& info);
Napi::Value BindTcp(const Napi::CallbackInfo& info);
Napi::Value BindUdp(const Napi::CallbackInfo& info);
Napi::Value BindUnix(const Napi::CallbackInfo& info);
Napi::Value ConnectUnix(const Napi::CallbackInfo& info);
Napi::Value Listen(const Napi::CallbackInfo& info);
Napi::Value Accept(const Napi::CallbackInfo& info);

// message.cc
Napi::Value SendMessage(const Napi::CallbackInfo& info);
Napi::Value ReceiveMessage(const Napi::CallbackInfo& info);
Napi::Value SendDatagram(const Napi::CallbackInfo& info);

// reuse.cc
Napi::Value GetReuse(const Napi::CallbackInfo& info);
Napi::Value SetReuse(const Napi::CallbackInfo& info);

// One file each
Napi::Value PeerCredentials(const Napi::CallbackInfo& info);
Napi::Value Describe(const Napi::CallbackInfo& info);
Napi::Value Lock(const Napi::CallbackInfo& info);
Napi::Value Unlock(const Napi::CallbackInfo& info);
Napi::Value MemoryFile(const Napi::CallbackInfo& info);
Napi::Value Reap(const Napi::CallbackInfo& info);
Napi::Value Execute(const Napi::CallbackInfo& info);

}  // namespace fd_handoff

#endif  // FD_HANDOFF_CALLS_H_
