/*
 * The limit: descriptors sent, acknowledged and closed with nothing but the system calls.
 *
 *     loop one|two BATCH MILLISECONDS
 *
 * `one`: both ends in one process, so that nothing but the calls is measured. `two`: the receiver is a process of its own,
 * and both wait in the kernel. Prints what bench/descriptors/benchmark.ts reads.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kMost = 253 };

static int batch;
static int outgoing[kMost];
static int incoming[kMost];

static void Fail(const char* what) {
  perror(what);
  exit(1);
}

static long long Now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void Send(int socket) {
  char mark = 'F';
  struct iovec bytes = {&mark, 1};
  union {
    struct cmsghdr alignment;
    char room[CMSG_SPACE(sizeof outgoing)];
  } control;
  struct msghdr message = {0};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.room;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * batch);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * batch);
  memcpy(CMSG_DATA(header), outgoing, sizeof(int) * batch);
  if (sendmsg(socket, &message, MSG_NOSIGNAL) != 1) Fail("sendmsg");
}

/* Returns 0 at the end of the stream. */
static int Receive(int socket) {
  char mark;
  struct iovec bytes = {&mark, 1};
  union {
    struct cmsghdr alignment;
    char room[CMSG_SPACE(sizeof incoming)];
  } control;
  struct msghdr message = {0};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.room;
  message.msg_controllen = sizeof control.room;
  const ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (length < 0) Fail("recvmsg");
  if (length == 0) return 0;
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_len != CMSG_LEN(sizeof(int) * batch)) Fail("descriptors are missing");
  memcpy(incoming, CMSG_DATA(header), sizeof(int) * batch);
  return 1;
}

static void CloseAll(void) {
  for (int index = 0; index < batch; index++) close(incoming[index]);
}

static void Acknowledge(int socket) {
  if (write(socket, "R", 1) != 1) Fail("write");
}

static void AwaitAcknowledgement(int socket) {
  char mark;
  if (read(socket, &mark, 1) != 1) Fail("read");
}

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const int two = strcmp(arguments[1], "two") == 0;
  batch = atoi(arguments[2]);
  const long long duration = atoll(arguments[3]) * 1000000;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) Fail("socketpair");
  if (two) {
    const pid_t child = fork();
    if (child < 0) Fail("fork");
    if (child == 0) {
      close(pair[0]);
      while (Receive(pair[1])) {
        Acknowledge(pair[1]);
        CloseAll();
      }
      return 0;
    }
    close(pair[1]);
  }
  const int file = open("/dev/null", O_RDONLY);
  for (int index = 0; index < batch; index++) outgoing[index] = file;
  const long long begun = Now(CLOCK_MONOTONIC);
  const long long used = Now(CLOCK_PROCESS_CPUTIME_ID);
  long long round_trips = 0;
  long long now;
  do {
    Send(pair[0]);
    if (!two) {
      Receive(pair[1]);
      Acknowledge(pair[1]);
      CloseAll();
    }
    AwaitAcknowledgement(pair[0]);
    round_trips++;
    now = Now(CLOCK_MONOTONIC);
  } while (now - begun < duration);
  printf("{\"roundTrips\":%lld,\"nanoseconds\":%lld,\"processor\":%lld}\n", round_trips, now - begun,
         Now(CLOCK_PROCESS_CPUTIME_ID) - used);
  return 0;
}
