/* The moderation service, and the server's line to it.
 *
 * The service says of each message whether it may be shown. It is slow and fails as it is told to, so that one can see
 * what becomes of the chat. One line each way:
 *
 *     <id> <text>       ->  <id> PASS | <id> BLOCK | <id> ERROR | <id> BUSY <milliseconds>
 *     LATENCY <ms>      ->  OK        from now on it answers so late
 *     FAIL <per cent>   ->  OK        from now on so many of its answers are ERROR
 */
#ifndef MODERATION_H
#define MODERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The service; returns the exit status when a signal ends it. */
int moderation_serve(uint16_t port, uint64_t latency_ms, unsigned fail_percent);

/* The line to it: one connection, opened when there is something to ask. */
typedef struct {
    int epoll, fd; /* -1: not connected */
    uint16_t port;
    uint32_t events;
    size_t received, queued;
    char in[4096], out[65536];
} moderator_t;

enum { MODERATOR_EVENT = 0x4D4F44 };

void moderator_init(moderator_t *moderator, int epoll, uint16_t port);
void moderator_close(moderator_t *moderator);

/* Queues a question; false where the service cannot be reached or does not keep up. */
bool moderator_ask(moderator_t *moderator, uint64_t id, const char *text);
/* Sends what is queued; false where the connection is lost. */
bool moderator_flush(moderator_t *moderator);
/* Reads what came; false where the connection is lost. */
bool moderator_receive(moderator_t *moderator);
/* The next answer that was received: its id and the rest of the line. */
bool moderator_answer(moderator_t *moderator, uint64_t *id, char *answer, size_t size);

#endif
