/*
 * Memory that the kernel is to read or write: a call says ADDRESS of a page that isn't there yet,
 * or is a copy that is due, and changes nothing. So the calls' stubs look then at what the
 * arguments point to, by the table of calls, and call once more (start/calls.S).
 */
#include <string.h>

#include "libos/start/start.h"
#include "libos/start/stubs.h"
#include "libos/vm/internal.h"

#define ARGUMENTS 5
#define TOUCHED   (1UL << 20) /* bytes of an argument at most: no call takes as much */

struct argument {
    const char *type; /* NULL: a value */
    const char *name;
    size_t size; /* of what a pointer points to: one of them */
};
struct call {
    uint16_t number;
    struct argument arguments[ARGUMENTS];
};

static const struct call calls[] = {
#define V(type, name, ...) {NULL, #name, 0},
#define P(type, name, ...) {#type, #name, sizeof(*(type)0)},
#define E(...)
#define AEGIS_CALL0(number, name, e, s)
#define AEGIS_CALL1(number, name, a, e, s)             {number, {a}},
#define AEGIS_CALL2(number, name, a, b, e, s)          {number, {a b}},
#define AEGIS_CALL3(number, name, a, b, c, e, s)       {number, {a b c}},
#define AEGIS_CALL4(number, name, a, b, c, d, e, s)    {number, {a b c d}},
#define AEGIS_CALL5(number, name, a, b, c, d, f, e, s) {number, {a b c d f}},
#include "abi/calls.def"
#undef AEGIS_CALL0
#undef AEGIS_CALL1
#undef AEGIS_CALL2
#undef AEGIS_CALL3
#undef AEGIS_CALL4
#undef AEGIS_CALL5
#undef V
#undef P
#undef E
};

int64_t vm_touch(const void *address, size_t length, bool write)
{
    uint64_t at = (uint64_t)address, end = at + length;

    if (length == 0)
        return 0;
    if (end < at || end > AEGIS_USER_END)
        return -AEGIS_E_ADDRESS;
    for (; at < end; at = (at / AEGIS_PAGE_SIZE + 1) * AEGIS_PAGE_SIZE)
        if (!upcall_touch((void *)at, write))
            return -AEGIS_E_ADDRESS;
    return 0;
}

/*
 * vm_touch for the stubs: a program without upcalls of the library's would end by the fault of a
 * touch, so only what a region says could come is touched. What is exposed is there.
 */
static bool touch(const void *address, size_t length, bool write)
{
    uint64_t at = (uint64_t)address, end = at + length;
    uint32_t access = write ? AEGIS_PROT_WRITE : AEGIS_PROT_READ;

    if (end < at || end > AEGIS_USER_END)
        return false;
    if (at >= AEGIS_EXPOSED_BASE && end <= AEGIS_WINDOW_BASE)
        return !write;
    for (; at < end; at = (at / AEGIS_PAGE_SIZE + 1) * AEGIS_PAGE_SIZE) {
        const struct vm_region *r = vm_find(at);
        if (!(r->prot & access || r->handler) || !upcall_touch((void *)at, write))
            return false;
    }
    return true;
}

/* Bytes that an argument points to: a number of things, if the next argument counts them. Texts and
 * secrets of one size have no count. */
static size_t extent(const struct argument *a, uint64_t next)
{
    bool counted =
        a[1].name && !a[1].type && (!strcmp(a[1].name, "count") || !strcmp(a[1].name, "length"));
    size_t bytes;
    if (!counted)
        return a->size > 1 ? a->size : AEGIS_NAME_SIZE;
    if (__builtin_mul_overflow(a->size, next, &bytes) || bytes > TOUCHED)
        return SIZE_MAX; /* nobody has as much */
    return bytes;
}

/* What structures name that arguments point to; they can be read by now. */

static bool touch_frames(const uint64_t *values)
{
    const struct aegis_frame_out *frames = (const struct aegis_frame_out *)values[1];
    for (uint64_t i = 0; i < values[2] && i < AEGIS_SEND_MAX; i++)
        if (!touch(frames[i].address, frames[i].length, false))
            return false;
    return true;
}

static bool touch_filters(const uint64_t *values)
{
    const struct aegis_net_binding *b = (const struct aegis_net_binding *)values[0];
    return touch(b->ingress, b->ingress_size, false) && touch(b->egress, b->egress_size, false);
}

static bool touch_image(const uint64_t *values)
{
    const struct aegis_handler_request *r = (const struct aegis_handler_request *)values[0];
    return touch(r->image, r->image_size, false);
}

static bool touch_request(const struct aegis_disk_request *r)
{
    bool write = r->op == AEGIS_DISK_READ;
    const struct aegis_disk_piece *pieces = r->memory;
    if (r->op != AEGIS_DISK_READ && r->op != AEGIS_DISK_WRITE)
        return true;
    if (!r->pieces)
        return touch(r->memory, r->length, write);
    if (r->pieces > AEGIS_DISK_PAGES || !touch(pieces, r->pieces * sizeof *pieces, false))
        return false;
    for (uint32_t i = 0; i < r->pieces; i++)
        if (!touch(pieces[i].address, pieces[i].length, write))
            return false;
    return true;
}

static bool touch_requests(const uint64_t *values)
{
    const struct aegis_disk_request *requests = (const struct aegis_disk_request *)values[0];
    for (uint64_t i = 0; i < values[1] && i < AEGIS_DISK_SUBMIT; i++)
        if (!touch_request(&requests[i]))
            return false;
    return true;
}

static const struct {
    uint16_t number;
    uint16_t pointer; /* which argument points to the structures */
    bool (*touch)(const uint64_t *values);
} named[] = {{AEGIS_CALL_net_send, 1, touch_frames},
             {AEGIS_CALL_net_bind, 0, touch_filters},
             {AEGIS_CALL_handler_load, 0, touch_image},
             {AEGIS_CALL_disk_submit, 0, touch_requests}};

bool vm_touch_arguments(uint64_t number, const uint64_t *values)
{
    const struct call *call = calls;
    while (call < calls + sizeof calls / sizeof *calls && call->number != number)
        call++;
    if (call == calls + sizeof calls / sizeof *calls)
        return false;
    for (int i = 0; i < ARGUMENTS; i++) {
        const struct argument *a = &call->arguments[i];
        bool write = a->type && strncmp(a->type, "const", 5) != 0;
        if (a->type && values[i] && !touch((void *)values[i], extent(a, values[i + 1]), write))
            return false;
    }
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (named[i].number == number)
            return values[named[i].pointer] && named[i].touch(values);
    return true;
}
_Static_assert(AEGIS_E_ADDRESS == STUBS_ADDRESS, "calls.S");
_Static_assert(AEGIS_NAME_SIZE == AEGIS_SECRET_SIZE, "what is pointed to without a count");
