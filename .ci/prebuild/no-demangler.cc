// libc++abi prints the name of an exception that nobody catches, and brings a demangler for it that is more than half of
// a prebuilt addon. The addon is compiled without exceptions: this takes the demangler's place in the link.
#include <cstddef>

extern "C" char* __cxa_demangle(const char*, char*, size_t*, int* status) {
  constexpr int kNotAMangledName = -2;
  if (status != nullptr) *status = kNotAMangledName;
  return nullptr;
}
