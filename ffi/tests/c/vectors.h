/* Replays core/tests/vectors/NAME.txt: what an independent oracle decided, line by line. C99 and C++11.
 *
 *     operation name=value ... -> what must come out
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdarg.h>

#include "check.h"

/* A program may leave some of them alone. */
#if defined(__GNUC__)
#define VECTORS_FUNCTION static __attribute__((unused))
#else
#define VECTORS_FUNCTION static
#endif

typedef struct {
    FILE *file;
    char path[256];
    unsigned line, steps;
    char operation[64];
    char arguments[1024]; /* " name=value name=value " */
    char expected[1024];
    char seen[1024];
} vectors_t;

VECTORS_FUNCTION void vectors_open(vectors_t *vectors, const char *name) {
    const char *folder = getenv("SEAWALL_VECTORS");
    memset(vectors, 0, sizeof *vectors);
    snprintf(vectors->path, sizeof vectors->path, "%s/%s.txt", folder ? folder : "core/tests/vectors", name);
    vectors->file = fopen(vectors->path, "r");
    if (!vectors->file) {
        fprintf(stderr, "%s is not there: run from the root of the repository\n", vectors->path);
        exit(1);
    }
}

/* The next step, or 0 at the end of the file, where there has to have been one. */
VECTORS_FUNCTION int vectors_next(vectors_t *vectors) {
    char line[2048];
    while (fgets(line, sizeof line, vectors->file)) {
        char *arrow, *space;
        ++vectors->line;
        line[strcspn(line, "\n")] = 0;
        if (line[0] == 0 || line[0] == '#') continue;
        arrow = strstr(line, " -> ");
        CHECK(arrow != NULL);
        snprintf(vectors->expected, sizeof vectors->expected, "%s", arrow + 4);
        *arrow = 0;
        space = strchr(line, ' ');
        snprintf(vectors->arguments, sizeof vectors->arguments, "%.1000s ", space ? space : "");
        if (space) *space = 0;
        snprintf(vectors->operation, sizeof vectors->operation, "%.63s", line);
        ++vectors->steps;
        return 1;
    }
    fclose(vectors->file);
    CHECK(vectors->steps > 0);
    return 0;
}

VECTORS_FUNCTION int vectors_is(const vectors_t *vectors, const char *operation) {
    return strcmp(vectors->operation, operation) == 0;
}

/* The value of an argument, up to the next space; NULL where it is not there. */
VECTORS_FUNCTION const char *vectors_find(const vectors_t *vectors, const char *name) {
    char key[80];
    const char *found;
    snprintf(key, sizeof key, " %s=", name);
    found = strstr(vectors->arguments, key);
    return found ? found + strlen(key) : NULL;
}

VECTORS_FUNCTION int vectors_word_is(const vectors_t *vectors, const char *name, const char *word) {
    const char *value = vectors_find(vectors, name);
    const size_t length = strlen(word);
    return value != NULL && strncmp(value, word, length) == 0 && value[length] == ' ';
}

VECTORS_FUNCTION uint64_t vectors_number(const vectors_t *vectors, const char *name) {
    const char *value = vectors_find(vectors, name);
    char *end;
    uint64_t number;
    if (!value) {
        fprintf(stderr, "%s:%u: no %s\n", vectors->path, vectors->line, name);
        exit(1);
    }
    number = strtoull(value, &end, 10);
    CHECK(end != value && *end == ' ');
    return number;
}

/* A number; where it is `none` or not there, `none`. */
VECTORS_FUNCTION uint64_t vectors_number_or(const vectors_t *vectors, const char *name, uint64_t none) {
    return !vectors_find(vectors, name) || vectors_word_is(vectors, name, "none") ? none : vectors_number(vectors, name);
}

/* Says what came out; vectors_compare then holds it to what must. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
VECTORS_FUNCTION void vectors_say(vectors_t *vectors, const char *format, ...) {
    const size_t length = strlen(vectors->seen);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(vectors->seen + length, sizeof vectors->seen - length, format, arguments);
    va_end(arguments);
}

VECTORS_FUNCTION void vectors_compare(vectors_t *vectors) {
    if (strcmp(vectors->seen, vectors->expected) != 0) {
        fprintf(stderr, "%s:%u: %s%s\n    seen:     %s\n    expected: %s\n", vectors->path, vectors->line,
                vectors->operation, vectors->arguments, vectors->seen, vectors->expected);
        exit(1);
    }
    vectors->seen[0] = 0;
}

/* `refused reason=... retry_after_ns=...`, as the vectors of buckets have it. */
VECTORS_FUNCTION void vectors_say_refused(vectors_t *vectors, seawall_status_t status, const seawall_decision_t *decision) {
    vectors_say(vectors, "refused reason=%s",
                status == SEAWALL_NOT_YET         ? "not_yet"
                : status == SEAWALL_NEVER         ? "never"
                : status == SEAWALL_CLOCK_STEPPED ? "clock_stepped"
                                                  : "no_place");
    if (status == SEAWALL_NOT_YET && decision->retry_after_ns != SEAWALL_UNKNOWN) {
        vectors_say(vectors, " retry_after_ns=%llu", (unsigned long long)decision->retry_after_ns);
    } else {
        vectors_say(vectors, " retry_after_ns=none");
    }
}

VECTORS_FUNCTION uint32_t vectors_outcome(const vectors_t *vectors, const char *name) {
    if (vectors_word_is(vectors, name, "success")) return SEAWALL_OUTCOME_SUCCESS;
    if (vectors_word_is(vectors, name, "failure")) return SEAWALL_OUTCOME_FAILURE;
    if (vectors_word_is(vectors, name, "throttled")) return SEAWALL_OUTCOME_THROTTLED;
    CHECK(vectors_word_is(vectors, name, "ignored"));
    return SEAWALL_OUTCOME_IGNORED;
}

#endif
