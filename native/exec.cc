// Replacing the process image. Returns only if that failed.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "calls.h"
#include "result.h"

namespace fd_handoff {

namespace {

std::vector<std::string> Strings(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  strings.reserve(array.Length());
  for (uint32_t index = 0; index < array.Length(); index++) {
    strings.push_back(array.Get(index).As<Napi::String>().Utf8Value());
  }
  return strings;
}

// The null-terminated form that execve wants, over memory that `strings` keeps.
std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

void DoNothing(int /*signal*/) {}

// Node ignores SIGPIPE, and an ignored signal and a blocked one stay so across execve: programs that rely on dying of
// SIGPIPE (`yes | head`) would not. A handler that does nothing is what execve turns into the default; setting the
// default itself would let a write in another thread kill a process whose exec then fails.
class SignalsForExec {
 public:
  SignalsForExec() {
    struct sigaction action = {};
    action.sa_handler = DoNothing;
    sigaction(SIGPIPE, &action, &previous_action_);
    sigset_t none = {};
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &previous_mask_);
  }

  ~SignalsForExec() {
    pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
    sigaction(SIGPIPE, &previous_action_, nullptr);
  }

  SignalsForExec(const SignalsForExec&) = delete;
  SignalsForExec& operator=(const SignalsForExec&) = delete;

 private:
  struct sigaction previous_action_ = {};
  sigset_t previous_mask_ = {};
};

}  // namespace

// exec(file, args: string[], env: string[] of NAME=value): a negative errno
Napi::Value Execute(const Napi::CallbackInfo& info) {
  const std::string file = StringArgument(info, 0);
  std::vector<std::string> args = Strings(info[1]);
  std::vector<std::string> env = Strings(info[2]);
  const std::vector<char*> arg_pointers = Pointers(args);
  const std::vector<char*> env_pointers = Pointers(env);
  const SignalsForExec signals;
  return ToValue(info, ValueOrErrno(execve(file.c_str(), arg_pointers.data(), env_pointers.data())));
}

}  // namespace fd_handoff
