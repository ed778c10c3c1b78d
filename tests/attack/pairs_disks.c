/* The errors of calls that bind extents and make requests. */
#include <string.h>

#include "attack.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define BLOCK AEGIS_DISK_BLOCK
#define BOTH  (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)
#define LIMIT 20000000000UL /* ns for an answer */

static const struct aegis_cap *victims(void)
{
    return &exos.start->caps[ATTACK_CAP_EXTENT];
}

static uint32_t victims_extent(void)
{
    return (uint32_t)AEGIS_CAP_INDEX(victims()->name);
}

/* What most requests need: an extent that is bound, a ring, and a page for the data. */
struct own {
    uint32_t extent, binding;
    struct aegis_disk_ring *ring;
    uint8_t *page;
};

static struct own own_disk(enum attack_cap root, uint64_t blocks)
{
    struct own own = {.extent = extent_made(root, blocks)};
    int64_t binding = aegis_disk_bind(own.extent, BOTH, NULL);
    CHECK(binding >= 0);
    own.binding = (uint32_t)binding;
    own.ring = vm_alloc(1, VM_READ_WRITE);
    own.page = vm_alloc(1, VM_READ_WRITE);
    CHECK_OK(aegis_disk_ring(own.ring));
    return own;
}

static void own_gone(struct own *own)
{
    struct aegis_predicate idle = {.word =
                                       (const volatile uint64_t *)&aegis_extent(own->extent)->busy,
                                   .mask = UINT32_MAX,
                                   .op = AEGIS_WAKE_EQ};
    CHECK_EQ(aegis_wait(&idle, 1, time_after(LIMIT)), 0);
    extent_gone(own->extent);
    CHECK_OK(aegis_disk_ring(NULL));
    vm_free(own->ring);
    vm_free(own->page);
}

static struct aegis_disk_request request(const struct own *own)
{
    return (struct aegis_disk_request){
        .binding = own->binding, .op = AEGIS_DISK_WRITE, .memory = own->page, .length = BLOCK};
}

/* What disk_submit says to a request that is right but for what change does to it. */
static int64_t submit_changed(void (*change)(struct own *own, struct aegis_disk_request *r))
{
    struct own own = own_disk(ATTACK_CAP_DISK, 4);
    struct aegis_disk_request r = request(&own);
    change(&own, &r);
    int64_t result = aegis_disk_submit(&r, 1);
    own_gone(&own);
    return result;
}

int64_t disk_bind_RANGE(void)
{
    CHECK_ERROR(aegis_disk_bind(AEGIS_NO_EXTENT, AEGIS_RIGHT_READ, NULL), RANGE);
    return aegis_disk_bind(aegis_info()->extent_count, AEGIS_RIGHT_READ, NULL);
}

int64_t disk_bind_INVALID(void)
{
    CHECK_ERROR(aegis_disk_bind(victims_extent(), 0, victims()), INVALID);
    return aegis_disk_bind(victims_extent(), AEGIS_RIGHT_READ | AEGIS_RIGHT_DELEGATE, victims());
}

int64_t disk_bind_OWNER(void)
{
    CHECK_ERROR(aegis_disk_bind(aegis_info()->disks[0].extents, BOTH, NULL), OWNER);
    return aegis_disk_bind(victims_extent(), AEGIS_RIGHT_READ, NULL);
}

int64_t disk_bind_ADDRESS(void)
{
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        if (bad_addresses[i])
            CHECK_EQ(result = aegis_disk_bind(victims_extent(), AEGIS_RIGHT_READ,
                                              (const struct aegis_cap *)bad_addresses[i]),
                     -AEGIS_E_ADDRESS);
    return result;
}

int64_t disk_bind_CAPABILITY(void)
{
    return aegis_disk_bind(victims_extent(), AEGIS_RIGHT_READ, &exos.start->caps[ATTACK_CAP_DISK]);
}

int64_t disk_bind_RIGHTS(void)
{
    const struct aegis_cap *delegate = &exos.start->caps[ATTACK_CAP_DISK];
    CHECK_ERROR(
        aegis_disk_bind((uint32_t)AEGIS_CAP_INDEX(delegate->name), AEGIS_RIGHT_READ, delegate),
        RIGHTS);
    struct aegis_extent_request r = extent_wanted(ATTACK_CAP_DISK, 1);
    r.flags |= AEGIS_EXTENT_READ_ONLY;
    int64_t extent = aegis_extent_alloc(&r);
    CHECK(extent >= 0);
    CHECK_ERROR(aegis_disk_bind((uint32_t)extent, BOTH, NULL), RIGHTS);
    extent_gone((uint32_t)extent);
    return aegis_disk_bind(victims_extent(), BOTH, victims());
}

int64_t disk_bind_STATE(void)
{
    uint32_t extent = extent_made(ATTACK_CAP_SLOW, 1);
    CHECK_OK(aegis_extent_free(extent, AEGIS_EXTENT_RETURN));
    int64_t result = aegis_disk_bind(extent, AEGIS_RIGHT_READ, NULL);
    extent_settle(extent);
    return result;
}

int64_t disk_bind_NO_SLOT(void)
{
    int64_t result;
    uint32_t count = 0;
    while ((result = aegis_disk_bind(victims_extent(), AEGIS_RIGHT_READ, victims())) >= 0)
        CHECK(count++ < AEGIS_DISK_BINDINGS);
    while (count > 0)
        CHECK_OK(aegis_disk_unbind(--count));
    return result;
}

int64_t disk_unbind_RANGE(void)
{
    CHECK_ERROR(aegis_disk_unbind(UINT32_MAX), RANGE);
    CHECK_ERROR(aegis_disk_unbind(AEGIS_DISK_BINDINGS), RANGE);
    return aegis_disk_unbind(0);
}

int64_t disk_ring_ADDRESS(void)
{
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        if (bad_addresses[i] && bad_addresses[i] % AEGIS_PAGE_SIZE == 0)
            CHECK_EQ(result = aegis_disk_ring((struct aegis_disk_ring *)bad_addresses[i]),
                     -AEGIS_E_ADDRESS);
    CHECK_OK(aegis_map(0, FREE_VA, AEGIS_CAP_INDEX(exos.start->caps[ATTACK_CAP_VICTIM_PAGE].name),
                       AEGIS_PROT_READ, &exos.start->caps[ATTACK_CAP_VICTIM_PAGE]));
    result = aegis_disk_ring((struct aegis_disk_ring *)FREE_VA);
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    return result;
}

int64_t disk_ring_ALIGNMENT(void)
{
    uint8_t *page = vm_alloc(2, VM_READ_WRITE);
    int64_t result = aegis_disk_ring((struct aegis_disk_ring *)(page + 64));
    vm_free(page);
    return result;
}

int64_t disk_ring_BUSY(void)
{
    struct own own = own_disk(ATTACK_CAP_SLOW, 1);
    struct aegis_disk_request r[4];
    for (size_t i = 0; i < 4; i++)
        r[i] = request(&own);
    CHECK_EQ(aegis_disk_submit(r, 4), 4);
    int64_t result = aegis_disk_ring(NULL);
    CHECK_ERROR(aegis_extent_free(own.extent, AEGIS_EXTENT_RETURN), BUSY);
    own_gone(&own);
    return result;
}

int64_t disk_submit_RANGE(void)
{
    struct own own = own_disk(ATTACK_CAP_DISK, 40);
    const struct aegis_disk_request right = request(&own);
    struct aegis_disk_request r = right;
    CHECK_ERROR(aegis_disk_submit(&r, 0), RANGE);
    CHECK_ERROR(aegis_disk_submit(&r, AEGIS_DISK_SUBMIT + 1), RANGE);
    r.binding = AEGIS_DISK_BINDINGS - 1;
    CHECK_ERROR(aegis_disk_submit(&r, 1), RANGE);
    r.binding = UINT32_MAX;
    CHECK_ERROR(aegis_disk_submit(&r, 1), RANGE);
    r = right;
    r.length = 0;
    CHECK_ERROR(aegis_disk_submit(&r, 1), RANGE);
    r.length = (AEGIS_DISK_PAGES + 1) * BLOCK;
    CHECK_ERROR(aegis_disk_submit(&r, 1), RANGE);
    r = right;
    r.op = AEGIS_DISK_FLUSH; /* has no length */
    CHECK_ERROR(aegis_disk_submit(&r, 1), RANGE);
    /* Pieces that don't add up, or are too many. */
    const struct aegis_disk_piece short_one[] = {{own.page, 512}}, empty[] = {{own.page, 0}};
    r = right;
    r.memory = short_one;
    r.pieces = 1;
    CHECK_ERROR(aegis_disk_submit(&r, 1), RANGE);
    r.memory = empty;
    CHECK_ERROR(aegis_disk_submit(&r, 1), RANGE);
    r.pieces = UINT32_MAX;
    int64_t result = aegis_disk_submit(&r, 1);
    own_gone(&own);
    return result;
}

int64_t disk_submit_ADDRESS(void)
{
    struct own own = own_disk(ATTACK_CAP_DISK, 4);
    struct aegis_disk_request r = request(&own);
    struct aegis_disk_piece piece = {.length = BLOCK};
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++) {
        CHECK_ERROR(aegis_disk_submit((const struct aegis_disk_request *)bad_addresses[i], 1),
                    ADDRESS);
        r.pieces = 0;
        r.memory = (const void *)(bad_addresses[i] & ~511UL);
        result = aegis_disk_submit(&r, 1);
        CHECK(result == -AEGIS_E_ADDRESS);
        r.pieces = 1;
        r.memory = &piece;
        piece.address = (const void *)(bad_addresses[i] & ~511UL);
        CHECK_ERROR(aegis_disk_submit(&r, 1), ADDRESS);
        r.memory = (const void *)bad_addresses[i];
        CHECK_ERROR(aegis_disk_submit(&r, 1), ADDRESS);
    }
    CHECK_EQ(aegis_page((uint64_t)vm_page_at(own.page))->pins, 0);
    own_gone(&own);
    return result;
}

static void misalign(struct own *own, struct aegis_disk_request *r)
{
    r->offset = 1;
    CHECK_ERROR(aegis_disk_submit(r, 1), ALIGNMENT);
    r->offset = 0;
    r->length = 100;
    CHECK_ERROR(aegis_disk_submit(r, 1), ALIGNMENT);
    r->length = 512;
    r->memory = own->page + 8;
}

int64_t disk_submit_ALIGNMENT(void)
{
    return submit_changed(misalign);
}

static void ask_for_nothing(struct own *own, struct aegis_disk_request *r)
{
    (void)own;
    r->op = UINT32_MAX;
    CHECK_ERROR(aegis_disk_submit(r, 1), INVALID);
    r->op = AEGIS_DISK_OPS;
}

int64_t disk_submit_INVALID(void)
{
    return submit_changed(ask_for_nothing);
}

/* Data from a page of the victim's, which may be read; and to blocks of an extent inside. */
int64_t disk_submit_OWNER(void)
{
    struct own own = own_disk(ATTACK_CAP_DISK, 4);
    struct aegis_disk_request r = request(&own);
    struct aegis_extent_request inner = {
        .parent = own.extent, .first = aegis_extent(own.extent)->first + 1, .count = 1};
    int64_t extent = aegis_extent_alloc(&inner);
    CHECK(extent >= 0);
    CHECK_ERROR((r.offset = BLOCK, aegis_disk_submit(&r, 1)), OWNER);
    extent_gone((uint32_t)extent);
    CHECK_OK(aegis_map(0, FREE_VA, AEGIS_CAP_INDEX(exos.start->caps[ATTACK_CAP_VICTIM_PAGE].name),
                       AEGIS_PROT_READ, &exos.start->caps[ATTACK_CAP_VICTIM_PAGE]));
    r.memory = (const void *)FREE_VA;
    int64_t result = aegis_disk_submit(&r, 1);
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    own_gone(&own);
    return result;
}

int64_t disk_submit_RIGHTS(void)
{
    struct own own = own_disk(ATTACK_CAP_DISK, 1);
    struct aegis_disk_request r = request(&own);
    int64_t binding = aegis_disk_bind(victims_extent(), AEGIS_RIGHT_READ, victims());
    CHECK(binding >= 0);
    r.binding = (uint32_t)binding;
    for (r.op = AEGIS_DISK_DISCARD; r.op < AEGIS_DISK_OPS; r.op++)
        CHECK_ERROR(aegis_disk_submit(&r, 1), RIGHTS);
    r.op = AEGIS_DISK_WRITE;
    int64_t result = aegis_disk_submit(&r, 1);
    CHECK_OK(aegis_disk_unbind(r.binding));
    own_gone(&own);
    return result;
}

int64_t disk_submit_STATE(void)
{
    struct own own = own_disk(ATTACK_CAP_DISK, 1);
    struct aegis_disk_request r = request(&own);
    CHECK_OK(aegis_disk_ring(NULL));
    CHECK_ERROR(aegis_disk_submit(&r, 1), STATE);
    CHECK_OK(aegis_disk_ring(own.ring));
    int64_t making = extent_make(ATTACK_CAP_SLOW, 1);
    CHECK(making >= 0);
    int64_t binding = aegis_disk_bind((uint32_t)making, BOTH, NULL);
    CHECK(binding >= 0);
    r.binding = (uint32_t)binding;
    int64_t result = aegis_disk_submit(&r, 1);
    extent_gone((uint32_t)making);
    own_gone(&own);
    return result;
}

/* One application asks for more than its share; it gets what was promised, each once. */
int64_t disk_submit_FULL(void)
{
    struct own own = own_disk(ATTACK_CAP_SLOW, 1);
    struct aegis_disk_request r = request(&own);
    uint64_t taken = 0;
    int64_t result;
    while ((result = aegis_disk_submit(&r, 1)) == 1)
        CHECK(taken++ < AEGIS_DISK_DEPTH);
    struct aegis_predicate all = AEGIS_WHEN(own.ring->head, EQ, taken);
    CHECK_EQ(aegis_wait(&all, 1, time_after(LIMIT)), 0);
    own_gone(&own);
    return result;
}
