/* One program, two services: the chat server, and with --moderation the service that it asks about each message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat.h"
#include "moderation.h"

static int usage(const char *program) {
    fprintf(stderr,
            "usage: %s [--port 7000] [--moderator 7001] [--user-rate 2] [--user-burst 5] [--users 512]\n"
            "           [--total-rate 200] [--total-burst 50] [--warm-up-ms 5000] [--moderation-timeout-ms 500]\n"
            "       %s --moderation [--port 7001] [--latency-ms 5] [--fail-percent 0]\n",
            program, program);
    return 2;
}

int main(int argc, char **argv) {
    enum { PORT, MODERATOR, USER_RATE, USER_BURST, USERS, TOTAL_RATE, TOTAL_BURST, WARM_UP, TIMEOUT, LATENCY, FAIL, OPTIONS };
    struct {
        const char *name;
        uint64_t value, most;
    } options[OPTIONS] = {
        [PORT] = {"--port", 7000, UINT16_MAX},
        [MODERATOR] = {"--moderator", 7001, UINT16_MAX},
        [USER_RATE] = {"--user-rate", 2, 1000000},
        [USER_BURST] = {"--user-burst", 5, UINT32_MAX},
        [USERS] = {"--users", 512, 1000000},
        [TOTAL_RATE] = {"--total-rate", 200, 1000000},
        [TOTAL_BURST] = {"--total-burst", 50, UINT32_MAX / 2},
        [WARM_UP] = {"--warm-up-ms", 5000, 3600000},
        [TIMEOUT] = {"--moderation-timeout-ms", 500, 60000},
        [LATENCY] = {"--latency-ms", 5, 3600000},
        [FAIL] = {"--fail-percent", 0, 100},
    };
    int is_moderation = 0;
    limits_config_t config;
    if (argc > 1 && strcmp(argv[1], "--moderation") == 0) {
        is_moderation = 1;
        options[PORT].value = 7001;
    }
    for (int index = 1 + is_moderation; index < argc; index += 2) {
        int option = 0;
        char *rest;
        while (option < OPTIONS && strcmp(argv[index], options[option].name) != 0) ++option;
        if (option == OPTIONS || index + 1 == argc) return usage(argv[0]);
        options[option].value = strtoull(argv[index + 1], &rest, 10);
        if (*rest || rest == argv[index + 1] || options[option].value > options[option].most) return usage(argv[0]);
    }
    if (is_moderation) {
        return moderation_serve((uint16_t)options[PORT].value, options[LATENCY].value, (unsigned)options[FAIL].value);
    }
    config.user_rate = options[USER_RATE].value;
    config.user_burst = (uint32_t)options[USER_BURST].value;
    config.users = (uint32_t)options[USERS].value;
    config.total_rate = options[TOTAL_RATE].value;
    config.total_burst = (uint32_t)options[TOTAL_BURST].value;
    config.warm_up_ns = options[WARM_UP].value * SEAWALL_MILLISECOND;
    config.moderation_timeout_ns = options[TIMEOUT].value * SEAWALL_MILLISECOND;
    return chat_serve((uint16_t)options[PORT].value, (uint16_t)options[MODERATOR].value, &config);
}
