// How a failure travels: a system call's result becomes either a value of zero or more, or its errno negated. The addon
// never throws; lib/fd/system-error.ts turns the negative number into an Error, in one place and with the arguments at
// hand.
#ifndef FD_HANDOFF_RESULT_H_
#define FD_HANDOFF_RESULT_H_

#include <cerrno>
#include <string>

#include <napi.h>

namespace fd_handoff {

inline int ValueOrErrno(long result) { return result < 0 ? -errno : static_cast<int>(result); }

// For calls that a signal may interrupt before they have done anything. Never for close(2): on Linux the descriptor is
// gone even when it reports EINTR, and its number may be another thread's by the time of a second try.
template <typename Call>
inline int RetryInterrupted(Call call) {
  int result = 0;
  do {
    result = ValueOrErrno(call());
  } while (result == -EINTR);
  return result;
}

inline Napi::Value ToValue(const Napi::CallbackInfo& info, int result) { return Napi::Number::New(info.Env(), result); }

// What the TypeScript layer passes has been validated there; these only unpack it.
inline int IntegerArgument(const Napi::CallbackInfo& info, size_t index) {
  int32_t value = -1;
  napi_get_value_int32(info.Env(), info[index], &value);
  return value;
}

inline bool BooleanArgument(const Napi::CallbackInfo& info, size_t index) {
  bool value = false;
  napi_get_value_bool(info.Env(), info[index], &value);
  return value;
}

inline std::string StringArgument(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::String>().Utf8Value();
}

// The memory of a Buffer or typed array, which stays JavaScript's: nothing is copied.
struct BorrowedBytes {
  void* data = nullptr;
  size_t length = 0;

  BorrowedBytes(const Napi::CallbackInfo& info, size_t index) {
    napi_get_buffer_info(info.Env(), info[index], &data, &length);
  }
};

inline int32_t* BorrowedIntegers(const Napi::CallbackInfo& info, size_t index) {
  void* data = nullptr;
  napi_get_typedarray_info(info.Env(), info[index], nullptr, nullptr, &data, nullptr, nullptr);
  return static_cast<int32_t*>(data);
}

}  // namespace fd_handoff

#endif  // FD_HANDOFF_RESULT_H_
