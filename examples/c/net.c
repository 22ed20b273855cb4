#define _GNU_SOURCE
#include "net.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

int milliseconds_until(uint64_t due_ns, uint64_t now_ns) {
    uint64_t wait_ms;
    if (due_ns == UINT64_MAX) return -1;
    if (due_ns <= now_ns) return 0;
    wait_ms = (due_ns - now_ns + 999999) / 1000000;
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

struct sockaddr_in loopback(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int open_listener(uint16_t *port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = loopback(*port);
    socklen_t length = sizeof address;
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int open_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) return -1;
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

bool receive(int fd, char *in, size_t *received, size_t size) {
    ssize_t count;
    if (*received == size) return false;
    count = recv(fd, in + *received, size - *received, 0);
    if (count > 0) {
        *received += (size_t)count;
        return true;
    }
    return count < 0 && (errno == EAGAIN || errno == EINTR);
}

bool next_line(char *in, size_t *received, char *line, size_t size) {
    const char *end = memchr(in, '\n', *received);
    size_t length, kept;
    if (!end) return false;
    length = (size_t)(end - in);
    kept = length < size ? length : size - 1;
    memcpy(line, in, kept);
    if (kept > 0 && line[kept - 1] == '\r') --kept;
    line[kept] = 0;
    *received -= length + 1;
    memmove(in, end + 1, *received);
    return true;
}

bool send_queued(int fd, char *out, size_t *queued) {
    while (*queued > 0) {
        const ssize_t count = send(fd, out, *queued, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
        *queued -= (size_t)count;
        memmove(out, out + count, *queued);
    }
    return true;
}
