/* The trace ring, as aegisctl post prints it. */
#include <inttypes.h>
#include <stdlib.h>

#include "post.h"

static const struct {
    uint64_t number;
    const char *name;
    int arguments;
} calls[] = {
#define AEGIS_CALL0(number, name, ...) {number, #name, 0},
#define AEGIS_CALL1(number, name, ...) {number, #name, 1},
#define AEGIS_CALL2(number, name, ...) {number, #name, 2},
#define AEGIS_CALL3(number, name, ...) {number, #name, 3},
#define AEGIS_CALL4(number, name, ...) {number, #name, 4},
#define AEGIS_CALL5(number, name, ...) {number, #name, 5},
#include "abi/calls.def"
#undef AEGIS_CALL0
#undef AEGIS_CALL1
#undef AEGIS_CALL2
#undef AEGIS_CALL3
#undef AEGIS_CALL4
#undef AEGIS_CALL5
};

static const char *error_name(int64_t result)
{
    static const struct {
        int64_t value;
        const char *name;
    } errors[] = {
#define AEGIS_ERROR(name, value, sentence, remedy) {value, #name},
#include "abi/errors.def"
#undef AEGIS_ERROR
    };

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].value == -result) {
            return errors[i].name;
        }
    }
    return "?";
}

static void print_call(const struct aegis_trace *record)
{
    size_t i = 0;

    while (i < sizeof calls / sizeof *calls && calls[i].number != record->number) {
        i++;
    }
    if (i == sizeof calls / sizeof *calls) {
        printf("call 0x%" PRIx64, record->number);
        return;
    }
    printf("%s(", calls[i].name);
    for (int a = 0; a < calls[i].arguments; a++) {
        printf("%s0x%" PRIx64, a > 0 ? ", " : "", record->arguments[a]);
    }
    printf(")");
    if (record->result == AEGIS_TRACE_OPEN) {
        printf(" left");
    } else if (record->result < 0) {
        printf(" = -%s", error_name(record->result));
    } else {
        printf(" = %" PRId64, record->result);
    }
}

void post_trace(const struct memory *memory, long most)
{
    uint64_t size = memory->post.trace_size, count = memory->post.trace_count;
    struct aegis_trace *records = memory_array(memory, memory->post.trace, size, sizeof *records);
    uint64_t shown = count < size ? count : size;

    shown = shown < (uint64_t)most ? shown : (uint64_t)most;
    if (size == 0) {
        printf("\nno trace: boot with --append trace=ring\n");
    } else if (records == NULL) {
        printf("\nthe trace ring is not in the machine's memory\n");
    } else {
        printf("\ntrace: the last %" PRIu64 " of %" PRIu64
               " calls and exceptions\n              time  env            pc what\n",
               shown, count);
    }
    for (uint64_t i = count - shown; records != NULL && i < count; i++) {
        const struct aegis_trace *r = &records[i % size];

        printf("%18" PRIu64 " %4" PRIu32 " %13" PRIx64 " ", r->time, r->env, r->pc);
        if (r->kind == AEGIS_TRACE_EXCEPTION) {
            printf("exception %" PRIu64 ", value 0x%" PRIx64, r->number, r->arguments[0]);
        } else {
            print_call(r);
        }
        printf("\n");
    }
    free(records);
}
