/* The classification of failures from C. */
#include "check.h"

static uint32_t of_http(uint32_t status, uint64_t retry_after_ns) {
    uint32_t error_class = 77;
    const seawall_status_t answer = seawall_error_class_of_http(status, retry_after_ns, &error_class);
    if (answer == SEAWALL_NONE) {
        CHECK(error_class == 77);
        return 0;
    }
    CHECK_OK(answer);
    return error_class;
}

static void each_http_status_has_the_class_of_its_cure(void) {
    uint32_t status;
    for (status = 0; status < 70000; ++status) {
        const uint32_t expected =
            status >= 100 && status <= 399                             ? 0
            : status == 429                                            ? SEAWALL_ERROR_CLASS_THROTTLED
            : status == 408 || status == 425                           ? SEAWALL_ERROR_CLASS_RETRYABLE
            : status < 500 || status > 599                             ? SEAWALL_ERROR_CLASS_PERMANENT
            : status == 501 || (status >= 505 && status <= 506)        ? SEAWALL_ERROR_CLASS_PERMANENT
            : status == 508 || status == 510 || status == 511          ? SEAWALL_ERROR_CLASS_PERMANENT
                                                                       : SEAWALL_ERROR_CLASS_RETRYABLE;
        uint32_t error_class = 77;
        CHECK(of_http(status, SEAWALL_UNKNOWN) == expected);
        CHECK(of_http(status, 0) == (status == 503 ? SEAWALL_ERROR_CLASS_THROTTLED : expected));
        CHECK_STATUS(expected ? SEAWALL_OK : SEAWALL_NONE, seawall_error_class_of_http_status(status, &error_class));
        CHECK(error_class == (expected ? expected : 77));
    }
    /* A number that does not fit is not cut down to one that does. */
    CHECK(of_http(65536 + 200, SEAWALL_UNKNOWN) == SEAWALL_ERROR_CLASS_PERMANENT);
    CHECK(of_http(UINT32_MAX, SEAWALL_UNKNOWN) == SEAWALL_ERROR_CLASS_PERMANENT);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_error_class_of_http_status(500, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_error_class_of_http_status(200, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_error_class_of_http(200, 0, NULL));
}

static void a_class_tells_of_the_service(void) {
    uint32_t outcome = 77;
    CHECK_OK(seawall_error_class_outcome(SEAWALL_ERROR_CLASS_RETRYABLE, &outcome));
    CHECK(outcome == SEAWALL_OUTCOME_FAILURE);
    CHECK_OK(seawall_error_class_outcome(SEAWALL_ERROR_CLASS_THROTTLED, &outcome));
    CHECK(outcome == SEAWALL_OUTCOME_THROTTLED);
    CHECK_OK(seawall_error_class_outcome(SEAWALL_ERROR_CLASS_PERMANENT, &outcome));
    CHECK(outcome == SEAWALL_OUTCOME_SUCCESS);
    outcome = 77;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_error_class_outcome(0, &outcome));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_error_class_outcome(4, &outcome));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_error_class_outcome(1, NULL));
    CHECK(outcome == 77);
}

static void the_classifications_are_those_of_the_library(void) {
    const seawall_classification_t retryable = SEAWALL_CLASSIFICATION_RETRYABLE;
    const seawall_classification_t permanent = SEAWALL_CLASSIFICATION_PERMANENT;
    const seawall_classification_t throttled = SEAWALL_CLASSIFICATION_THROTTLED(SECONDS(3));
    const seawall_classification_t timeout = SEAWALL_CLASSIFICATION_TIMEOUT;
    seawall_classification_t same;
    CHECK_OK(seawall_classification_of(SEAWALL_ERROR_CLASS_RETRYABLE, SEAWALL_UNKNOWN, &same));
    CHECK(memcmp(&retryable, &same, sizeof same) == 0);
    /* That no answer came in time costs more, and differs in nothing else. */
    same.cost_millionths = SEAWALL_RETRY_COST_TIMEOUT;
    CHECK(memcmp(&timeout, &same, sizeof same) == 0);
    CHECK_OK(seawall_classification_of(SEAWALL_ERROR_CLASS_PERMANENT, SEAWALL_UNKNOWN, &same));
    CHECK(memcmp(&permanent, &same, sizeof same) == 0);
    CHECK_OK(seawall_classification_of(SEAWALL_ERROR_CLASS_THROTTLED, SECONDS(3), &same));
    CHECK(memcmp(&throttled, &same, sizeof same) == 0);
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_classification_of(0, SECONDS(3), &same));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_classification_of(1, SECONDS(3), NULL));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_classification_of(1, SECONDS(3), MISALIGNED(seawall_classification_t, &same)));
    CHECK(memcmp(&throttled, &same, sizeof same) == 0);
}

static void a_retry_after_is_read_and_a_huge_one_is_never_short(void) {
    uint64_t wait_ns = 77;
#define READ(text) seawall_retry_after_seconds(text, sizeof text - 1, &wait_ns)
    CHECK_OK(READ(" 120 \t"));
    CHECK(wait_ns == SECONDS(120));
    CHECK_OK(READ("0"));
    CHECK(wait_ns == 0);
    CHECK_OK(READ("99999999999999999999999999"));
    CHECK(wait_ns == SEAWALL_UNKNOWN - 1); /* the longest that is known */
    wait_ns = 77;
    CHECK_STATUS(SEAWALL_NONE, READ("Fri, 31 Dec 1999 23:59:59 GMT"));
    CHECK_STATUS(SEAWALL_NONE, READ("-1"));
    CHECK_STATUS(SEAWALL_NONE, READ("1.5"));
    CHECK_STATUS(SEAWALL_NONE, READ(""));
    CHECK_STATUS(SEAWALL_NONE, READ("1\0002"));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_after_seconds(NULL, 0, &wait_ns));
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_retry_after_seconds("1", SIZE_MAX, &wait_ns));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_after_seconds("1", 1, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_after_seconds("x", 1, NULL));
    CHECK(wait_ns == 77);
    /* So many bytes as are told, and no more. */
    CHECK_OK(seawall_retry_after_seconds("125", 2, &wait_ns));
    CHECK(wait_ns == SECONDS(12));
}

int main(void) {
    RUN(each_http_status_has_the_class_of_its_cure);
    RUN(a_class_tells_of_the_service);
    RUN(the_classifications_are_those_of_the_library);
    RUN(a_retry_after_is_read_and_a_huge_one_is_never_short);
    return 0;
}
