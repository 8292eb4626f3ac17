/*
 * A successor in C that knows nothing of the library: serves HTTP on the listeners from descriptor 3 on, and says on
 * FD_HANDOFF_READY_FD that it does. At SIGTERM it finishes what is open and leaves with 0.
 *
 * READY_PEER_FAILS: "before" leaves without the newline (exit code 3), "after" dies right after it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_LISTENER = 3, MOST_LISTENERS = 16, MOST_CONNECTIONS = 256, REQUEST_ROOM = 8192 };

struct connection {
  int fd;
  size_t length;
  char request[REQUEST_ROOM];
};

static struct connection connections[MOST_CONNECTIONS];
static int connection_count;
static volatile sig_atomic_t leaving;

static void leave(int number) {
  (void)number;
  leaving = 1;
}

static int number_in(const char *variable) {
  const char *text = getenv(variable);
  return text == NULL ? -1 : atoi(text);
}

static const char *text_in(const char *variable) {
  const char *text = getenv(variable);
  return text == NULL ? "" : text;
}

static void drop(int index) {
  close(connections[index].fd);
  connections[index] = connections[--connection_count];
}

/* Answers the requests that are there in full. Returns 0 when the connection is to be closed. */
static int answer(struct connection *connection) {
  char *end;
  while ((end = memmem(connection->request, connection->length, "\r\n\r\n", 4)) != NULL) {
    const size_t head = (size_t)(end - connection->request) + 4;
    end[2] = '\0';
    const int keep = !leaving && strcasestr(connection->request, "\r\nconnection: close\r\n") == NULL;
    char text[64];
    char response[256];
    const int body = snprintf(text, sizeof text, "hello from %d\n", (int)getpid());
    const int length = snprintf(response, sizeof response,
                                "HTTP/1.1 200 OK\r\nx-served-by: %d\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s",
                                (int)getpid(), body, keep ? "keep-alive" : "close", text);
    /* So short that the socket's buffer has room for it, or nobody reads. */
    if (send(connection->fd, response, (size_t)length, MSG_NOSIGNAL) != length) return 0;
    if (!keep) return 0;
    connection->length -= head;
    memmove(connection->request, connection->request + head, connection->length);
  }
  return connection->length < REQUEST_ROOM;
}

static int read_more(struct connection *connection) {
  const ssize_t got =
      recv(connection->fd, connection->request + connection->length, REQUEST_ROOM - connection->length, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return 0;
  connection->length += (size_t)got;
  return answer(connection);
}

static void accept_all(int listener) {
  while (connection_count < MOST_CONNECTIONS) {
    /* The listener does not block: it is shared with a process that set it so. */
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    connections[connection_count].fd = fd;
    connections[connection_count++].length = 0;
  }
}

static void tell_environment(int listeners) {
  printf("{\"event\":\"program\",\"pid\":%d,\"LISTEN_FDS\":\"%d\",\"LISTEN_FDNAMES\":\"%s\",\"LISTEN_PID\":\"%s\"}\n",
         (int)getpid(), listeners, text_in("LISTEN_FDNAMES"), text_in("LISTEN_PID"));
  fflush(stdout);
}

int main(void) {
  const int listeners = number_in("LISTEN_FDS");
  const int ready = number_in("FD_HANDOFF_READY_FD");
  const char *fails = text_in("READY_PEER_FAILS");
  if (number_in("LISTEN_PID") != (int)getpid() || listeners < 1 || listeners > MOST_LISTENERS ||
      ready < FIRST_LISTENER) {
    fprintf(stderr, "ready_peer: no listeners for this process in the environment\n");
    return 2;
  }
  struct sigaction action = {.sa_handler = leave};
  sigaction(SIGTERM, &action, NULL);
  for (int fd = FIRST_LISTENER; fd < FIRST_LISTENER + listeners; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);

  /* Before the newline: it may be the last that anybody hears of us. */
  tell_environment(listeners);
  if (strcmp(fails, "before") == 0) return 3;
  if (write(ready, "a C program\n", 12) != 12) return 4;
  close(ready);
  if (strcmp(fails, "after") == 0) raise(SIGKILL);

  while (!leaving || connection_count > 0) {
    struct pollfd polled[MOST_LISTENERS + MOST_CONNECTIONS];
    const int open_listeners = leaving ? 0 : listeners;
    const int before = connection_count;
    for (int i = 0; i < open_listeners; i++) polled[i] = (struct pollfd){.fd = FIRST_LISTENER + i, .events = POLLIN};
    for (int i = 0; i < before; i++) {
      polled[open_listeners + i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
    }
    const int count = poll(polled, (nfds_t)(open_listeners + before), leaving ? 1000 : -1);
    if (count == 0) break; /* Told to leave, and all that is open has been idle for a second. */
    if (count < 0) continue;
    /* From the end, because dropping one moves the last one into its place. */
    for (int i = before - 1; i >= 0; i--) {
      if (polled[open_listeners + i].revents != 0 && !read_more(&connections[i])) drop(i);
    }
    for (int i = 0; i < open_listeners; i++) {
      if (polled[i].revents != 0) accept_all(FIRST_LISTENER + i);
    }
  }
  return 0;
}
