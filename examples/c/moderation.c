#define _GNU_SOURCE
#include "moderation.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "seawall_clock.h"

/* ---- the server's line to the service ---- */

static void watch(moderator_t *moderator, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = MODERATOR_EVENT};
    if (operation == EPOLL_CTL_MOD && events == moderator->events) return;
    moderator->events = events;
    epoll_ctl(moderator->epoll, operation, moderator->fd, &event);
}

void moderator_init(moderator_t *moderator, int epoll, uint16_t port) {
    moderator->epoll = epoll;
    moderator->fd = -1;
    moderator->port = port;
    moderator->received = moderator->queued = 0;
}

void moderator_close(moderator_t *moderator) {
    if (moderator->fd >= 0) close(moderator->fd);
    moderator_init(moderator, moderator->epoll, moderator->port);
}

static bool connected(moderator_t *moderator) {
    struct sockaddr_in address = loopback(moderator->port);
    if (moderator->fd >= 0) return true;
    moderator->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (moderator->fd < 0) return false;
    if (connect(moderator->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        moderator_close(moderator);
        return false;
    }
    /* Writable is how it says that it is connected, or will never be. */
    watch(moderator, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    return true;
}

bool moderator_ask(moderator_t *moderator, uint64_t id, const char *text) {
    size_t left;
    int length;
    if (!connected(moderator)) return false;
    left = sizeof moderator->out - moderator->queued;
    length = snprintf(moderator->out + moderator->queued, left, "%llu %s\n", (unsigned long long)id, text);
    if (length < 0 || (size_t)length >= left) return false;
    moderator->queued += (size_t)length;
    return true;
}

bool moderator_flush(moderator_t *moderator) {
    if (moderator->fd < 0) return true;
    if (!send_queued(moderator->fd, moderator->out, &moderator->queued)) return false;
    /* Not yet connected, it is watched on as it was. */
    if (moderator->queued == 0) watch(moderator, EPOLL_CTL_MOD, EPOLLIN);
    else watch(moderator, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    return true;
}

bool moderator_receive(moderator_t *moderator) {
    return receive(moderator->fd, moderator->in, &moderator->received, sizeof moderator->in);
}

bool moderator_answer(moderator_t *moderator, uint64_t *id, char *answer, size_t size) {
    char line[128], *rest;
    if (!next_line(moderator->in, &moderator->received, line, sizeof line)) return false;
    *id = strtoull(line, &rest, 10);
    snprintf(answer, size, "%s", rest + (*rest == ' '));
    return true;
}

/* ---- the service ---- */

enum { CONNECTIONS = 16, PENDING = 1024 };

typedef struct {
    uint64_t due_ns, id;
    const char *answer;
    unsigned connection, serial;
} pending_t;

typedef struct {
    int fd;
    unsigned serial;
    size_t received, queued;
    char in[4096], out[65536];
} connection_t;

typedef struct {
    uint64_t latency_ns;
    unsigned fail_percent, failing, serial;
    size_t pending_count;
    pending_t pending[PENDING];
    connection_t connections[CONNECTIONS];
} service_t;

static void disconnect(connection_t *connection) {
    close(connection->fd);
    connection->fd = -1;
}

static void answer(connection_t *connection, const char *id, const char *words) {
    const size_t left = sizeof connection->out - connection->queued;
    const int length = snprintf(connection->out + connection->queued, left, "%s%s\n", id, words);
    /* Who does not read its answers is cut off. */
    if (length < 0 || (size_t)length >= left) disconnect(connection);
    else connection->queued += (size_t)length;
}

/* Each failure in its turn, so that a share is the same in every run. */
static const char *verdict(service_t *service, const char *text) {
    service->failing += service->fail_percent;
    if (service->failing >= 100) {
        service->failing -= 100;
        return " ERROR";
    }
    return strstr(text, "spam") ? " BLOCK" : " PASS";
}

static void handle(service_t *service, connection_t *connection, const char *line, uint64_t now_ns) {
    char *text;
    const uint64_t number = strtoull(line, &text, 10);
    if (strncmp(line, "LATENCY ", 8) == 0) {
        service->latency_ns = strtoull(line + 8, NULL, 10) * 1000000;
        answer(connection, "OK", "");
    } else if (strncmp(line, "FAIL ", 5) == 0) {
        service->fail_percent = (unsigned)strtoul(line + 5, NULL, 10) % 101;
        service->failing = 0;
        answer(connection, "OK", "");
    } else if (service->pending_count == PENDING) {
        char id[24];
        snprintf(id, sizeof id, "%llu", (unsigned long long)number);
        answer(connection, id, " BUSY 250");
    } else {
        pending_t *pending = &service->pending[service->pending_count++];
        pending->due_ns = now_ns + service->latency_ns;
        pending->id = number;
        pending->answer = verdict(service, text);
        pending->connection = (unsigned)(connection - service->connections);
        pending->serial = connection->serial;
    }
}

static void serve_connection(service_t *service, connection_t *connection, uint64_t now_ns) {
    char line[2048];
    if (!receive(connection->fd, connection->in, &connection->received, sizeof connection->in)) {
        disconnect(connection);
        return;
    }
    while (connection->fd >= 0 && next_line(connection->in, &connection->received, line, sizeof line)) {
        handle(service, connection, line, now_ns);
    }
}

/* Gives the answers that are due, and says for how many milliseconds there are none. */
static int answer_due(service_t *service, uint64_t now_ns) {
    uint64_t next_ns = UINT64_MAX;
    size_t index = 0;
    while (index < service->pending_count) {
        pending_t *pending = &service->pending[index];
        connection_t *connection = &service->connections[pending->connection];
        if (pending->due_ns > now_ns) {
            if (pending->due_ns < next_ns) next_ns = pending->due_ns;
            ++index;
            continue;
        }
        if (connection->fd >= 0 && connection->serial == pending->serial) {
            char id[24];
            snprintf(id, sizeof id, "%llu", (unsigned long long)pending->id);
            answer(connection, id, pending->answer);
        }
        *pending = service->pending[--service->pending_count];
    }
    return milliseconds_until(next_ns, now_ns);
}

static void admit(service_t *service, int listener) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (unsigned index = 0; index < CONNECTIONS && fd >= 0; ++index) {
        connection_t *connection = &service->connections[index];
        if (connection->fd >= 0) continue;
        connection->fd = fd;
        connection->serial = ++service->serial;
        connection->received = connection->queued = 0;
        return;
    }
    if (fd >= 0) close(fd);
}

int moderation_serve(uint16_t port, uint64_t latency_ms, unsigned fail_percent) {
    service_t *service = calloc(1, sizeof *service);
    struct pollfd watched[CONNECTIONS + 2];
    const int signals = open_signals(), listener = open_listener(&port);
    if (!service || signals < 0 || listener < 0) {
        perror("moderation");
        return 1;
    }
    service->latency_ns = latency_ms * 1000000;
    service->fail_percent = fail_percent;
    for (unsigned index = 0; index < CONNECTIONS; ++index) service->connections[index].fd = -1;
    printf("moderation is listening on 127.0.0.1:%u\n", port);
    fflush(stdout);
    for (;;) {
        int wait_ms = answer_due(service, seawall_clock_now_ns());
        for (unsigned index = 0; index < CONNECTIONS; ++index) {
            connection_t *connection = &service->connections[index];
            if (connection->fd >= 0 && !send_queued(connection->fd, connection->out, &connection->queued)) {
                disconnect(connection);
            }
            watched[index] = (struct pollfd){connection->fd, (short)(POLLIN | (connection->queued ? POLLOUT : 0)), 0};
        }
        watched[CONNECTIONS] = (struct pollfd){listener, POLLIN, 0};
        watched[CONNECTIONS + 1] = (struct pollfd){signals, POLLIN, 0};
        if (poll(watched, CONNECTIONS + 2, wait_ms) < 0 && errno != EINTR) break;
        if (watched[CONNECTIONS + 1].revents) break;
        for (unsigned index = 0; index < CONNECTIONS; ++index) {
            if (watched[index].revents & (POLLIN | POLLHUP | POLLERR)) {
                serve_connection(service, &service->connections[index], seawall_clock_now_ns());
            }
        }
        if (watched[CONNECTIONS].revents) admit(service, listener);
    }
    for (unsigned index = 0; index < CONNECTIONS; ++index) {
        if (service->connections[index].fd >= 0) disconnect(&service->connections[index]);
    }
    close(listener);
    close(signals);
    free(service);
    return 0;
}
