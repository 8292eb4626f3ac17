// A descriptor that is closed on every path on which it is not handed to the caller.
#ifndef FD_HANDOFF_UNIQUE_FD_H_
#define FD_HANDOFF_UNIQUE_FD_H_

#include <unistd.h>

#include <cerrno>

namespace fd_handoff {

class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&&) = delete;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  UniqueFd& operator=(UniqueFd&&) = delete;

  ~UniqueFd() {
    if (fd_ < 0) return;
    // The errno that is being reported must survive the clean-up.
    const int saved = errno;
    close(fd_);
    errno = saved;
  }

  [[nodiscard]] int Get() const { return fd_; }

  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

}  // namespace fd_handoff

#endif  // FD_HANDOFF_UNIQUE_FD_H_
