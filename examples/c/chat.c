/* A chat server for Linux, on epoll, in one process; and how seawall protects it: see limits.c.
 *
 *     make run            the server on port 7000, and a moderation service on port 7001
 *     nc 127.0.0.1 7000   talks to it
 *
 * You send lines:
 *
 *     NICK name           who you are; first, once, and nobody else is
 *     JOIN room           go to another room than `lobby`, where everybody begins
 *     SAY text            to all others in the room
 *     STATS               what the limits do at this moment
 *     QUIT
 *
 * Each is answered in its turn, by one line:
 *
 *     OK ...              done; `OK unchecked` for a message that went out without moderation
 *     RETRY milliseconds  not done: too much is going on, or too much of it is yours. Send it again, not earlier
 *     NO reason           not done, and never will be
 *
 * STATS comes as lines of `STATS name value` before its OK. What others say comes in between, at any time:
 *
 *     MSG name text       and where moderation is down or has too much to do
 *     UNCHECKED name text: chat goes on without it, and says so
 *
 * Who sends faster than answers come is read more slowly; who reads more slowly than the others talk is dropped, as
 * nothing is kept for ever. A server that is full says RETRY and closes. SIGINT and SIGTERM end it in order: a message
 * that is on its way gets its RETRY.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chat.h"
#include "moderation.h"
#include "net.h"
#include "seawall_clock.h"

enum {
    CLIENTS = 1024,
    ROOMS = CLIENTS,
    NAME = 32,                /* The longest name, with its end. */
    LINE = 512,               /* The longest line, with its end. */
    IN = 4096,                /* What is read ahead of one client. */
    OUT = 65536,              /* What is kept for one that does not read. */
    ROOM_FOR_ANSWERS = 16384, /* Of which so much is for answers: while it is not free, nothing is read. */
    AT_ONCE = 64,             /* Events of a round; clients that are let in in one. */
    LISTENER_EVENT = MODERATOR_EVENT + 1,
    SIGNAL_EVENT,
    FIRST_CLIENT_EVENT
};

typedef struct client client_t;

typedef struct {
    char name[NAME];
    client_t *first; /* Nobody: the place is free. */
} room_t;

/* A message on its way through moderation; a client has one at a time. */
typedef enum { NONE, ASKED, WAITING } message_state_t;

struct client {
    int fd;
    uint32_t events, serial; /* What it is watched for; which message moderation is asked about. */
    unsigned place;          /* In chat_t's `here`. */
    bool leaving;            /* Is closed at the end of the round. */
    char name[NAME];
    uint64_t user;
    room_t *room;
    client_t *next, *previous; /* In the room. */
    message_state_t message;
    uint64_t due_ns; /* When the moderator is late, or is asked again. */
    check_t check;
    char text[LINE];
    size_t received, queued;
    char in[IN], out[OUT];
};

typedef struct {
    int epoll, listener, signals;
    uint64_t now_ns; /* The time of this round. */
    uint64_t slow_readers, unchecked;
    unsigned here_count;
    client_t *here[CLIENTS]; /* The first `here_count` are connected, the others free. */
    client_t *clients;
    room_t rooms[ROOMS];
    moderator_t moderator;
    limits_t limits;
} chat_t;

/* ---- saying something to a client ---- */

static void leave_room(client_t *client) {
    if (!client->room) return;
    if (client->next) client->next->previous = client->previous;
    if (client->previous) client->previous->next = client->next;
    else client->room->first = client->next;
    client->room = NULL;
}

/* From here on it hears nothing; its descriptor lives until the end of the round, as events may name it. */
static void drop(client_t *client) {
    client->leaving = true;
    leave_room(client);
}

static void put(chat_t *chat, client_t *client, const char *line, size_t length) {
    if (client->leaving) return;
    if (length > sizeof client->out - client->queued) {
        ++chat->slow_readers;
        drop(client);
        return;
    }
    memcpy(client->out + client->queued, line, length);
    client->queued += length;
}

static void answer(chat_t *chat, client_t *client, const char *line) {
    put(chat, client, line, strlen(line));
}

static void answer_retry(chat_t *chat, client_t *client, uint64_t wait_ns) {
    char line[40];
    /* Rounded up: who waits as told does not come early. */
    snprintf(line, sizeof line, "RETRY %llu\n", (unsigned long long)(wait_ns / 1000000 + (wait_ns % 1000000 != 0)));
    answer(chat, client, line);
}

/* ---- messages ---- */

static void deliver(chat_t *chat, client_t *client, bool checked) {
    char line[LINE + NAME + 16];
    const int length = snprintf(line, sizeof line, "%s %s %s\n", checked ? "MSG" : "UNCHECKED", client->name, client->text);
    client->message = NONE;
    for (client_t *member = client->room->first, *next; member; member = next) {
        next = member->next; /* One that is dropped leaves the room. */
        if (member != client) put(chat, member, line, (size_t)length);
    }
    if (!checked) ++chat->unchecked;
    answer(chat, client, checked ? "OK\n" : "OK unchecked\n");
}

static uint64_t id_of(const chat_t *chat, const client_t *client) {
    return (uint64_t)client->serial * CLIENTS + (uint64_t)(client - chat->clients);
}

/* The moderator answered, or did not. */
static void message_ended(chat_t *chat, client_t *client, uint32_t outcome, uint64_t retry_after_ns) {
    const uint64_t again_ns = check_ended(&chat->limits, &client->check, outcome, retry_after_ns, chat->now_ns);
    if (outcome == SEAWALL_OUTCOME_SUCCESS) return;
    if (again_ns == 0) {
        deliver(chat, client, false);
    } else {
        client->message = WAITING;
        client->due_ns = again_ns;
    }
}

/* Asks the moderator, if the guard gives leave. */
static void ask(chat_t *chat, client_t *client) {
    if (!check_may_ask(&chat->limits, &client->check, chat->now_ns)) {
        check_abandon(&chat->limits, &client->check, false, chat->now_ns);
        deliver(chat, client, false);
        return;
    }
    ++client->serial; /* An answer to an earlier question is none to this one. */
    client->message = ASKED;
    client->due_ns = chat->now_ns + chat->limits.moderation_timeout_ns;
    if (!moderator_ask(&chat->moderator, id_of(chat, client), client->text)) {
        message_ended(chat, client, SEAWALL_OUTCOME_FAILURE, SEAWALL_UNKNOWN);
    }
}

static void say(chat_t *chat, client_t *client, const char *text) {
    uint64_t wait_ns;
    if (!client->name[0]) {
        answer(chat, client, "NO name: begin with NICK\n");
    } else if (!limits_admit(&chat->limits, client->user, chat->now_ns, &wait_ns)) {
        answer_retry(chat, client, wait_ns);
    } else {
        snprintf(client->text, sizeof client->text, "%s", text);
        check_begin(&chat->limits, &client->check, client->user, chat->now_ns);
        ask(chat, client);
    }
}

static void moderated(chat_t *chat, uint64_t id, const char *words) {
    client_t *client = &chat->clients[id % CLIENTS];
    if (client->message != ASKED || id_of(chat, client) != id) return; /* Too late. */
    if (strcmp(words, "PASS") == 0 || strcmp(words, "BLOCK") == 0) {
        message_ended(chat, client, SEAWALL_OUTCOME_SUCCESS, SEAWALL_UNKNOWN);
        if (*words == 'P') {
            deliver(chat, client, true);
        } else {
            client->message = NONE;
            answer(chat, client, "NO moderation does not like it\n");
        }
    } else if (strncmp(words, "BUSY ", 5) == 0) {
        message_ended(chat, client, SEAWALL_OUTCOME_THROTTLED, strtoull(words + 5, NULL, 10) * SEAWALL_MILLISECOND);
    } else {
        message_ended(chat, client, SEAWALL_OUTCOME_FAILURE, SEAWALL_UNKNOWN);
    }
}

/* Whoever was asked about will hear nothing of it. */
static void moderator_lost(chat_t *chat) {
    moderator_close(&chat->moderator);
    for (unsigned place = 0; place < chat->here_count; ++place) {
        client_t *client = chat->here[place];
        if (client->message == ASKED) message_ended(chat, client, SEAWALL_OUTCOME_FAILURE, SEAWALL_UNKNOWN);
    }
}

/* ---- commands ---- */

static bool is_name(const char *name) {
    const size_t length = strlen(name);
    return length > 0 && length < NAME &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == length;
}

/* The room of that name, or the first place that is free: there is one, as a client is in one room at most. */
static room_t *room_named(chat_t *chat, const char *name) {
    room_t *room = chat->rooms, *const end = room + ROOMS;
    while (room < end && !(room->first && strcmp(room->name, name) == 0)) ++room;
    if (room < end) return room;
    for (room = chat->rooms; room->first; ++room) continue;
    snprintf(room->name, sizeof room->name, "%s", name);
    return room;
}

static void join(chat_t *chat, client_t *client, const char *name) {
    leave_room(client);
    client->room = room_named(chat, name);
    client->previous = NULL;
    client->next = client->room->first;
    if (client->next) client->next->previous = client;
    client->room->first = client;
}

static bool is_taken(const chat_t *chat, const char *name) {
    for (unsigned place = 0; place < chat->here_count; ++place) {
        if (strcmp(chat->here[place]->name, name) == 0) return true;
    }
    return false;
}

static size_t stats(chat_t *chat, uint64_t user, char *text, size_t size) {
    const int length = snprintf(text, size, "STATS clients %u\nSTATS slow_readers_dropped %llu\nSTATS unchecked %llu\n",
                                chat->here_count, (unsigned long long)chat->slow_readers,
                                (unsigned long long)chat->unchecked);
    return (size_t)length + limits_stats(&chat->limits, user, text + length, size - (size_t)length, chat->now_ns);
}

static void command(chat_t *chat, client_t *client, char *line) {
    char *argument = strchr(line, ' ');
    if (argument) *argument++ = 0;
    else argument = line + strlen(line);
    if (strcmp(line, "SAY") == 0) {
        say(chat, client, argument);
    } else if (strcmp(line, "NICK") == 0) {
        if (client->name[0]) {
            answer(chat, client, "NO you have a name\n");
        } else if (!is_name(argument)) {
            answer(chat, client, "NO name: 1 to 31 letters, digits, - and _\n");
        } else if (is_taken(chat, argument)) {
            answer(chat, client, "NO that name is taken\n");
        } else {
            /* The name stands for an account here, as there is no log-in: its limit outlives the connection. */
            snprintf(client->name, sizeof client->name, "%s", argument);
            client->user = limits_user(&chat->limits, client->name);
            join(chat, client, "lobby");
            answer(chat, client, "OK\n");
        }
    } else if (strcmp(line, "JOIN") == 0) {
        if (!client->name[0]) {
            answer(chat, client, "NO name: begin with NICK\n");
        } else if (!is_name(argument)) {
            answer(chat, client, "NO room: 1 to 31 letters, digits, - and _\n");
        } else {
            join(chat, client, argument);
            answer(chat, client, "OK\n");
        }
    } else if (strcmp(line, "STATS") == 0) {
        char text[8192];
        put(chat, client, text, stats(chat, client->user, text, sizeof text));
        answer(chat, client, "OK\n");
    } else if (strcmp(line, "QUIT") == 0) {
        answer(chat, client, "OK\n");
        drop(client);
    } else {
        answer(chat, client, "NO such command: NICK, JOIN, SAY, STATS, QUIT\n");
    }
}

/* ---- connections ---- */

/* One message at a time, and nothing while the answers to it might find no room. */
static bool may_read(const client_t *client) {
    return client->message == NONE && !client->leaving && sizeof client->out - client->queued >= ROOM_FOR_ANSWERS;
}

static void commands(chat_t *chat, client_t *client) {
    char line[LINE];
    while (may_read(client) && next_line(client->in, &client->received, line, sizeof line)) {
        if (strlen(line) == sizeof line - 1) answer(chat, client, "NO line: 510 bytes at most\n");
        else command(chat, client, line);
    }
}

static void let_in(chat_t *chat) {
    static const char full[] = "RETRY 1000\n";
    for (int count = 0; count < AT_ONCE; ++count) {
        const int fd = accept4(chat->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct epoll_event event = {.events = EPOLLIN};
        client_t *client;
        if (fd < 0) return;
        if (chat->here_count == CLIENTS) {
            (void)!send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            close(fd);
            continue;
        }
        client = chat->here[chat->here_count];
        event.data.u64 = FIRST_CLIENT_EVENT + (uint64_t)(client - chat->clients);
        if (epoll_ctl(chat->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            continue;
        }
        client->place = chat->here_count++;
        client->fd = fd;
        client->events = EPOLLIN;
        client->received = client->queued = 0;
        client->name[0] = 0;
        client->user = 0;
        client->leaving = false;
        client->message = NONE;
    }
}

static void let_out(chat_t *chat, client_t *client) {
    client_t *last = chat->here[--chat->here_count];
    if (client->message != NONE) {
        check_abandon(&chat->limits, &client->check, client->message == ASKED, chat->now_ns);
        client->message = NONE;
    }
    chat->here[client->place] = last;
    last->place = client->place;
    chat->here[chat->here_count] = client;
    close(client->fd);
}

/* What has come due for one client: its message's time, lines that waited for that. */
static void act(chat_t *chat, client_t *client) {
    if (!client->leaving && client->message != NONE && client->due_ns <= chat->now_ns) {
        if (client->message == ASKED) message_ended(chat, client, SEAWALL_OUTCOME_FAILURE, SEAWALL_UNKNOWN);
        else ask(chat, client);
    }
    commands(chat, client);
}

/* Sends what it is owed, and says when it is to be looked at again. */
static uint64_t settle(chat_t *chat, client_t *client) {
    struct epoll_event event = {.events = 0};
    if (!send_queued(client->fd, client->out, &client->queued)) drop(client);
    if (may_read(client)) event.events |= EPOLLIN;
    if (client->queued > 0) event.events |= EPOLLOUT;
    if (event.events != client->events && !client->leaving) {
        event.data.u64 = FIRST_CLIENT_EVENT + (uint64_t)(client - chat->clients);
        client->events = event.events;
        epoll_ctl(chat->epoll, EPOLL_CTL_MOD, client->fd, &event);
    }
    if (client->message != NONE) return client->due_ns;
    /* Lines that waited for room in which to answer them. */
    return may_read(client) && memchr(client->in, '\n', client->received) ? chat->now_ns : UINT64_MAX;
}

static void client_event(chat_t *chat, client_t *client, uint32_t events) {
    if (client->leaving) return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        /* Closed by the other side, it may have left lines behind. */
        const bool is_open = receive(client->fd, client->in, &client->received, sizeof client->in);
        commands(chat, client);
        if (!is_open) drop(client);
    }
}

static void moderator_event(chat_t *chat, uint32_t events) {
    uint64_t id;
    char words[64];
    bool is_open = true;
    if (chat->moderator.fd < 0) return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) is_open = moderator_receive(&chat->moderator);
    while (moderator_answer(&chat->moderator, &id, words, sizeof words)) moderated(chat, id, words);
    if (!is_open) moderator_lost(chat);
}

/* ---- the whole ---- */

/* One round: what came, then what is due. False when a signal says that it is time to end. */
static bool round_of(chat_t *chat, uint64_t next_ns) {
    struct epoll_event events[AT_ONCE];
    const int count = epoll_wait(chat->epoll, events, AT_ONCE, milliseconds_until(next_ns, chat->now_ns));
    chat->now_ns = seawall_clock_now_ns();
    for (int index = 0; index < count; ++index) {
        const uint64_t source = events[index].data.u64;
        if (source == SIGNAL_EVENT) return false;
        if (source == LISTENER_EVENT) let_in(chat);
        else if (source == MODERATOR_EVENT) moderator_event(chat, events[index].events);
        else client_event(chat, &chat->clients[source - FIRST_CLIENT_EVENT], events[index].events);
    }
    return count >= 0 || errno == EINTR;
}

/* Everything that is due; returns when the next is. */
static uint64_t tend(chat_t *chat) {
    uint64_t next_ns = UINT64_MAX;
    for (unsigned place = 0; place < chat->here_count; ++place) act(chat, chat->here[place]);
    if (!moderator_flush(&chat->moderator)) moderator_lost(chat);
    for (unsigned place = 0; place < chat->here_count;) {
        client_t *client = chat->here[place];
        const uint64_t due_ns = settle(chat, client);
        if (client->leaving) {
            let_out(chat, client); /* Another takes its place. */
            continue;
        }
        if (due_ns < next_ns) next_ns = due_ns;
        ++place;
    }
    return next_ns;
}

static void end(chat_t *chat) {
    char text[8192];
    size_t length;
    while (chat->here_count > 0) {
        client_t *client = chat->here[0];
        if (client->message != NONE) answer_retry(chat, client, SEAWALL_SECOND);
        send_queued(client->fd, client->out, &client->queued);
        leave_room(client);
        let_out(chat, client);
    }
    length = stats(chat, 0, text, sizeof text);
    fwrite(text, 1, length, stdout);
    moderator_close(&chat->moderator);
    close(chat->listener);
    close(chat->signals);
    close(chat->epoll);
    limits_fini(&chat->limits);
}

static bool begin(chat_t *chat, uint16_t port, uint16_t moderator_port, const limits_config_t *config) {
    struct epoll_event listening = {.events = EPOLLIN, .data.u64 = LISTENER_EVENT};
    struct epoll_event signalled = {.events = EPOLLIN, .data.u64 = SIGNAL_EVENT};
    struct rlimit files;
    seawall_status_t status;
    uint64_t secrets[3];
    if (getrandom(secrets, sizeof secrets, 0) != sizeof secrets) return false;
    /* All memory is taken here; a client costs none afterwards. */
    chat->clients = calloc(CLIENTS, sizeof *chat->clients);
    if (!chat->clients) return false;
    for (unsigned place = 0; place < CLIENTS; ++place) chat->here[place] = &chat->clients[place];
    chat->now_ns = seawall_clock_now_ns();
    status = limits_init(&chat->limits, config, secrets, chat->now_ns);
    if (status != SEAWALL_OK) {
        fprintf(stderr, "the limits: %s\n", seawall_status_text(status));
        errno = EINVAL;
        return false;
    }
    /* So that accept never fails for want of descriptors, which would turn the loop in place. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < CLIENTS + 16) {
        files.rlim_cur = CLIENTS + 16;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0) return false;
    }
    chat->epoll = epoll_create1(EPOLL_CLOEXEC);
    chat->signals = open_signals();
    chat->listener = open_listener(&port);
    if (chat->epoll < 0 || chat->signals < 0 || chat->listener < 0) return false;
    moderator_init(&chat->moderator, chat->epoll, moderator_port);
    if (epoll_ctl(chat->epoll, EPOLL_CTL_ADD, chat->listener, &listening) != 0 ||
        epoll_ctl(chat->epoll, EPOLL_CTL_ADD, chat->signals, &signalled) != 0) {
        return false;
    }
    printf("chat is listening on 127.0.0.1:%u\n", port);
    fflush(stdout);
    return true;
}

int chat_serve(uint16_t port, uint16_t moderator_port, const limits_config_t *config) {
    chat_t *chat = calloc(1, sizeof *chat);
    if (!chat || !begin(chat, port, moderator_port, config)) {
        perror("chat");
        return 1;
    }
    while (round_of(chat, tend(chat))) {
    }
    end(chat);
    free(chat->clients);
    free(chat);
    return 0;
}
