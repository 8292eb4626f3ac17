// Loaded before the C library (LD_PRELOAD), so that a call of the addon can be made to fail, and its calls be seen. All of
// its state is in two variables of the environment, which a test writes as process.env and reads afterwards:
//
// FAIL_CALL=fcntl:2:24   the second fcntl from now on returns errno 24; the variable is empty once that has happened
// SEEN_CALLS=:           every call adds its name and a colon; nothing is noted where the variable is empty
//
// Only the main thread's calls count: the other threads of Node must neither be hit nor touch the environment.
//
// The headers that declare the socket calls are left out, because in glibc they give them types that no definition matches.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static void note(const char *name) {
  const char *seen = getenv("SEEN_CALLS");
  if (seen == NULL || *seen == '\0') return;
  char more[4096];
  snprintf(more, sizeof more, "%s%s:", seen, name);
  setenv("SEEN_CALLS", more, 1);
}

// The errno with which this call is to fail, or 0.
static int failure_of(const char *name) {
  if (syscall(SYS_gettid) != getpid()) return 0;
  const int saved = errno;
  note(name);
  int failure = 0;
  const char *failing = getenv("FAIL_CALL");
  const size_t length = strlen(name);
  if (failing != NULL && strncmp(failing, name, length) == 0 && failing[length] == ':') {
    int turn = 0;
    int number = 0;
    sscanf(failing + length, ":%d:%d", &turn, &number);
    char next[64] = "";
    if (turn == 1) {
      failure = number;
    } else {
      snprintf(next, sizeof next, "%s:%d:%d", name, turn - 1, number);
    }
    setenv("FAIL_CALL", next, 1);
  }
  errno = saved;
  return failure;
}

// A symbol that takes the C library's place. It is looked up before anything can fork: the child of a process with threads
// must not wait for the loader's lock.
#define REPLACE(type, symbol, label, failed, parameters, arguments) \
  static type(*real_##symbol) parameters;                           \
  __attribute__((constructor)) static void find_##symbol(void) {    \
    *(void **)&real_##symbol = dlsym(RTLD_NEXT, #symbol);           \
  }                                                                 \
  type symbol parameters {                                          \
    if (real_##symbol == NULL) find_##symbol();                     \
    const int failure = failure_of(label);                          \
    if (failure == 0) return real_##symbol arguments;               \
    errno = failure;                                                \
    return failed;                                                  \
  }

#define CALL(name, parameters, arguments) REPLACE(int, name, #name, -1, parameters, arguments)

CALL(accept, (int fd, void *address, unsigned *length), (fd, address, length))
CALL(accept4, (int fd, void *address, unsigned *length, int flags), (fd, address, length, flags))
CALL(bind, (int fd, const void *address, unsigned length), (fd, address, length))
CALL(chmod, (const char *path, mode_t mode), (path, mode))
CALL(connect, (int fd, const void *address, unsigned length), (fd, address, length))
CALL(dup2, (int fd, int target), (fd, target))
CALL(dup3, (int fd, int target, int flags), (fd, target, flags))
CALL(execve, (const char *path, char *const *args, char *const *env), (path, args, env))
CALL(fchmod, (int fd, mode_t mode), (fd, mode))
CALL(flock, (int fd, int operation), (fd, operation))
CALL(getpeername, (int fd, void *address, unsigned *length), (fd, address, length))
CALL(getsockname, (int fd, void *address, unsigned *length), (fd, address, length))
CALL(getsockopt, (int fd, int level, int name, void *value, unsigned *length), (fd, level, name, value, length))
CALL(listen, (int fd, int backlog), (fd, backlog))
CALL(pipe, (int fds[2]), (fds))
CALL(pipe2, (int fds[2], int flags), (fds, flags))
CALL(poll, (void *entries, unsigned long count, int timeout), (entries, count, timeout))
CALL(setsockopt, (int fd, int level, int name, const void *value, unsigned length), (fd, level, name, value, length))
CALL(socket, (int family, int type, int protocol), (family, type, protocol))
CALL(socketpair, (int family, int type, int protocol, int *fds), (family, type, protocol, fds))
CALL(waitpid, (pid_t pid, int *status, int options), (pid, status, options))
REPLACE(ssize_t, recvmsg, "recvmsg", -1, (int fd, void *message, int flags), (fd, message, flags))
REPLACE(ssize_t, sendmsg, "sendmsg", -1, (int fd, const void *message, int flags), (fd, message, flags))

REPLACE(unsigned, if_nametoindex, "if_nametoindex", 0, (const char *name), (name))
REPLACE(char *, if_indextoname, "if_indextoname", NULL, (unsigned index, char *name), (index, name))
REPLACE(const char *, inet_ntop, "inet_ntop", NULL, (int family, const void *address, char *text, unsigned length),
        (family, address, text, length))

// What glibc calls them depends on its version and on the size of off_t that the caller was compiled with.
REPLACE(int, fstat, "fstat", -1, (int fd, void *status), (fd, status))
REPLACE(int, fstat64, "fstat", -1, (int fd, void *status), (fd, status))
REPLACE(int, __fxstat, "fstat", -1, (int version, int fd, void *status), (version, fd, status))
REPLACE(int, __fxstat64, "fstat", -1, (int version, int fd, void *status), (version, fd, status))
REPLACE(int, lstat, "lstat", -1, (const char *path, void *status), (path, status))
REPLACE(int, lstat64, "lstat", -1, (const char *path, void *status), (path, status))
REPLACE(int, __lxstat, "lstat", -1, (int version, const char *path, void *status), (version, path, status))
REPLACE(int, __lxstat64, "lstat", -1, (int version, const char *path, void *status), (version, path, status))

// The third argument is an int, a pointer, or not there: as a pointer it is passed on as it came.
#define REPLACE_FCNTL(symbol)                                      \
  static int (*real_##symbol)(int, int, ...);                      \
  __attribute__((constructor)) static void find_##symbol(void) {   \
    *(void **)&real_##symbol = dlsym(RTLD_NEXT, #symbol);          \
  }                                                                \
  int symbol(int fd, int command, ...) {                           \
    if (real_##symbol == NULL) find_##symbol();                    \
    va_list arguments;                                             \
    va_start(arguments, command);                                  \
    void *argument = va_arg(arguments, void *);                    \
    va_end(arguments);                                             \
    const int failure = failure_of("fcntl");                       \
    if (failure == 0) return real_##symbol(fd, command, argument); \
    errno = failure;                                               \
    return -1;                                                     \
  }

REPLACE_FCNTL(fcntl)
REPLACE_FCNTL(fcntl64)

// The addon makes one system call by its number. Arguments that a call does not have are passed on as they came.
static long (*real_syscall)(long, ...);
__attribute__((constructor)) static void find_syscall(void) { *(void **)&real_syscall = dlsym(RTLD_NEXT, "syscall"); }
long syscall(long number, ...) {
  if (real_syscall == NULL) find_syscall();
  va_list arguments;
  va_start(arguments, number);
  long values[6];
  for (size_t index = 0; index < 6; index++) values[index] = va_arg(arguments, long);
  va_end(arguments);
  const int failure = number == SYS_memfd_create ? failure_of("memfd_create") : 0;
  if (failure == 0) return real_syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
  errno = failure;
  return -1;
}

// On Linux the descriptor is gone whatever close(2) reports.
static int (*real_close)(int);
__attribute__((constructor)) static void find_close(void) { *(void **)&real_close = dlsym(RTLD_NEXT, "close"); }
int close(int fd) {
  if (real_close == NULL) find_close();
  const int failure = failure_of("close");
  const int result = real_close(fd);
  if (failure == 0) return result;
  errno = failure;
  return -1;
}
