/* The chat server: chat.c says what it understands. */
#ifndef CHAT_H
#define CHAT_H

#include "chat_limits.h"

/* Serves until a signal ends it; returns the exit status. */
int chat_serve(uint16_t port, uint16_t moderator_port, const limits_config_t *config);

#endif
