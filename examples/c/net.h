/* What both programs need of sockets: a listener on loopback, lines in and bytes out without waiting. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

/* For poll and epoll: -1 for UINT64_MAX, else rounded up, so that nobody wakes early and turns in place. */
int milliseconds_until(uint64_t due_ns, uint64_t now_ns);

struct sockaddr_in loopback(uint16_t port);

/* Listens on loopback; port 0 becomes the one that was free. -1 on failure, with errno. */
int open_listener(uint16_t *port);

/* A descriptor that is readable when SIGINT or SIGTERM came; from now on they do nothing else. */
int open_signals(void);

/* Reads what is there. False where the other side has closed, or sends lines that do not fit. */
bool receive(int fd, char *in, size_t *received, size_t size);

/* Takes the next line out of what was received, without its end. False where there is no whole line yet. */
bool next_line(char *in, size_t *received, char *line, size_t size);

/* Sends as much as the other side takes now. False where it is gone. */
bool send_queued(int fd, char *out, size_t *queued);

#endif
