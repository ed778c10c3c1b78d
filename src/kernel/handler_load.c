#include "kernel/handler_load.h"

#include <string.h>

#include "kernel/arena.h"
#include "kernel/boot_memory.h"
#include "kernel/call.h"
#include "kernel/check/hard.h"
#include "kernel/entropy.h"
#include "kernel/env.h"
#include "kernel/event.h"
#include "kernel/expose.h"
#include "kernel/handler.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/post.h"
#include "kernel/print.h"
#include "kernel/quota.h"
#include "kernel/turn.h"
#include "kernel/user.h"

#define STEP_WORK HARD(10, 1) /* instructions a step: some 30,000 of the machine's (ash.h) */

/* bpf_redirect would name interfaces that the binding has no authority over. */
#define HELPERS_OFFERED (ASH_HELPERS_ALL & ~(1U << ASH_HELPER_BIT_REDIRECT))

static void *scratch; /* ASH_SCRATCH_MAX bytes: one download at a time */

/* All handlers' stack: none is interrupted by another. */
static uint8_t stack[ASH_DEPTH_MAX * ASH_STACK_FRAME] __attribute__((aligned(16)));

/* The download under way. */
static struct {
    uint32_t env; /* who makes it, or 0 */
    uaddr_t address;
    struct aegis_handler_request request;
    struct ash_image image;
    void *copy; /* of the image; in the arena, as the next two */
    void *program;
    void *code;
    size_t code_size;
    bool compiling;
    struct code_search room; /* for it, when it is compiled */
    uint64_t slices;         /* that env had been given at its last step */
} load;

/*
 * Slices that a downloader may have without going on before another takes over. On a loaded host a
 * slice may pass while the emulator doesn't run at all.
 */
#define LOAD_PATIENCE 16

static uint64_t service_time(void *owner)
{
    uint64_t ticks = time_now();

    (void)owner;
    return ticks / info->timebase * 1000000000 +
           ticks % info->timebase * 1000000000 / info->timebase;
}

static uint32_t service_random(void *owner)
{
    (void)owner;
    return (uint32_t)entropy_word();
}

static void service_trace(void *owner, const char *text, size_t length)
{
    const struct handler *handler = owner;

    print("[handler %u %s] ", handler->number, handler->program->image.header->name);
    print_bytes(text, length);
    print("\n");
}

static const struct ash_services services = {service_time, service_random, service_trace};

void handler_load_init(void)
{
    scratch = boot_alloc(ASH_SCRATCH_MAX / PAGE_SIZE, 1);
}

void handler_loading(const void *pieces[3])
{
    pieces[0] = load.copy;
    pieces[1] = load.program;
    pieces[2] = load.code;
}

static uint64_t map_bytes(const struct ash_image *image)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < image->header->maps; i++)
        bytes += (ash_map_size(&image->maps[i]) + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    return bytes;
}

/*
 * Finds the pages of the caller's maps memory: *first is the index of the first. Checked when the
 * download begins, so that errors come early, and again when it ends, since the caller ran in
 * between.
 */
static long find_map_pages(uint32_t *first)
{
    uaddr_t maps = (uaddr_t)load.request.maps;

    if (load.request.maps_size != map_bytes(&load.image))
        return -AEGIS_E_RANGE;
    if (maps % PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    for (uint64_t at = 0; at < load.request.maps_size; at += PAGE_SIZE) {
        void *memory = user_at(this_hart->env, maps + at, PTE_R | PTE_W);
        if (!memory || maps + at >= AEGIS_EXPOSED_BASE)
            return -AEGIS_E_ADDRESS;
        struct aegis_page *page = page_of(virt_to_phys(memory) >> PAGE_SHIFT);
        if (at == 0)
            *first = (uint32_t)(page - pages);
        if (page->owner != this_hart->env->number)
            return -AEGIS_E_OWNER;
        if (page->state != AEGIS_PAGE_DATA || page != &pages[*first + at / PAGE_SIZE] ||
            !page_can_pin(page))
            return -AEGIS_E_STATE;
    }
    return 0;
}

static void end_load(void)
{
    arena_free(load.code);
    arena_free(load.program);
    arena_free(load.copy);
    memset(&load, 0, sizeof(load));
}

/* Tells the caller what is wrong with the program, and gives the download up. */
static long refuse_program(int error)
{
    struct ash_refusal refusal = {.error = error, .insn = ASH_NO_INSN};
    char message[AEGIS_MESSAGE_SIZE] = "";

    if (load.program)
        refusal = ash_refused(scratch);
    ash_explain_error(&load.image, refusal, message, sizeof(message));
    if (load.request.message)
        user_write((uaddr_t)load.request.message, message, sizeof(message));
    end_load();
    return error == ASH_E_BUDGET ? -AEGIS_E_BUDGET : -AEGIS_E_HANDLER;
}

/* Copies the image and begins to verify the copy. */
static long begin_load(uaddr_t address)
{
    struct aegis_handler_request *r = &load.request;
    uint32_t first;

    if (!user_read(r, address, sizeof(*r)))
        return -AEGIS_E_ADDRESS;
    if (r->image_size > AEGIS_HANDLER_MAX || r->fuel > AEGIS_FUEL_MAX)
        return -AEGIS_E_RANGE;
    if (r->message && !user_writable((uaddr_t)r->message, AEGIS_MESSAGE_SIZE))
        return -AEGIS_E_ADDRESS;
    load.copy = arena_alloc(r->image_size);
    if (!load.copy)
        return -AEGIS_E_NO_SPACE;
    if (!user_read(load.copy, (uaddr_t)r->image, r->image_size))
        return -AEGIS_E_ADDRESS;
    int error = ash_image_open(load.copy, r->image_size, &load.image);
    if (error)
        return refuse_program(error);
    long status = find_map_pages(&first);
    if (status)
        return status;
    size_t size = ash_program_size(load.image.header->insns);
    load.program = arena_alloc(size);
    if (!load.program)
        return -AEGIS_E_NO_SPACE;
    error = ash_verify_begin(scratch, ASH_SCRATCH_MAX, &load.image, ASH_EVENT_FRAME,
                             HELPERS_OFFERED, load.program, size);
    if (error)
        return refuse_program(error);
    load.env = this_hart->env->number;
    load.address = address;
    return 0;
}

/* The program is right; its code goes to ordinary memory first, so that steps need no writable
 * alias. */
static long begin_compile(void)
{
    load.code_size = ash_code_bound(load.program);
    load.code = arena_alloc(load.code_size);
    if (!load.code)
        return -AEGIS_E_NO_SPACE;
    load.compiling = true;
    int error =
        ash_compile_begin(scratch, ASH_SCRATCH_MAX, load.program, load.code, load.code_size, 0);
    return error ? refuse_program(error) : 0;
}

/* Readies what a handler runs with: its stack, the services, and its maps, whose pages are its
 * alone from here on. */
static void ready_run(struct handler *h)
{
    const struct ash_image *image = &load.image;

    ash_run_init(&h->run, h->program, stack, &services, h);
    ash_run_room(&h->run, EVENT_FRAME_LOW, NIC_BUFFER_SIZE);
    struct aegis_page *page = &pages[h->map_page];
    for (uint32_t i = 0; i < image->header->maps; i++) {
        ash_run_map(&h->run, i, page_memory(page));
        page += (ash_map_size(&image->maps[i]) + PAGE_SIZE - 1) / PAGE_SIZE;
    }
    for (uint32_t i = 0; i < h->map_page_count; i++) {
        pages[h->map_page + i].state = AEGIS_PAGE_WINDOW;
        page_pin(&pages[h->map_page + i]);
    }
}

/* Everything is checked and compiled: makes a handler of it, in this piece of the arena, which is
 * given back after an error. */
static long finish_load(struct handler *h, struct code code)
{
    size_t size = ash_compiled(scratch);
    uint32_t first = 0;
    uint64_t fuel = load.request.fuel ? load.request.fuel : AEGIS_FUEL_DEFAULT;
    long error = find_map_pages(&first);

    if (error)
        return error;
    if (((const struct ash_program *)load.program)->entry_cost > fuel)
        return -AEGIS_E_BUDGET; /* its longest path alone takes more than a run may */
    struct quota_bytes bytes = {arena_bytes(load.copy) + arena_bytes(load.program),
                                code_bytes(&code)};
    if (!quota_allows(load.env, AEGIS_QUOTA_HANDLERS, 1) || !quota_allows_bytes(load.env, bytes))
        return -AEGIS_E_QUOTA;
    memcpy(code_open(&code), load.code, size);
    code_close(&code);

    handler_add(h, load.env);
    h->image = load.copy;
    h->program = load.program;
    h->code = code;
    h->entry = (ash_handler *)code_entry(&code);
    h->map_page = first;
    h->map_page_count = (uint32_t)(load.request.maps_size / PAGE_SIZE);
    h->fuel = (int32_t)fuel;
    quota_add(load.env, AEGIS_QUOTA_HANDLERS, 1);
    quota_add_bytes(load.env, bytes);
    h->fuel_start = h->fuel - (int32_t)h->program->entry_cost;
    h->status.insns = load.image.header->insns;
    h->status.code = (uint32_t)size;
    h->status.accesses = h->program->accesses;
    h->status.guards = h->program->guards;
    ready_run(h);
    post_code(AEGIS_CODE_HANDLER, h->number, &code, code_entry(&code), h->owner,
              load.image.header->name);
    load.copy = NULL; /* the handler's now */
    load.program = NULL;
    end_load();
    return (long)h->number;
}

/* One bounded part of the download under way: its result, if it is the last. */
static long step_load(void)
{
    load.slices = this_hart->env->info->slices;
    int state =
        load.compiling ? ash_compile_step(scratch, STEP_WORK) : ash_verify_step(scratch, STEP_WORK);

    if (state < 0)
        return refuse_program(state);
    if (state == ASH_DONE && !load.compiling) {
        long error = begin_compile();
        if (error)
            return error;
    } else if (state == ASH_DONE) {
        struct code code;
        struct handler *h = handler_free();
        if (!h)
            return -AEGIS_E_NO_SLOT;
        if (code_alloc_step(&load.room, ash_compiled(scratch), &code)) {
            long result = code.units ? finish_load(h, code) : -AEGIS_E_NO_SPACE;
            if (result < 0 && code.units)
                code_free(&code);
            return result;
        }
    }
    call_restart(AEGIS_CALL_handler_load, load.address, 0, 0);
}

long call_handler_load(uaddr_t address)
{
    long result;

    if (load.env && (load.env != this_hart->env->number || load.address != address)) {
        /* Who doesn't go on, though it could, must not keep others from theirs; and who waits is
         * doing something else, for as long as it likes. */
        if (load.env != this_hart->env->number && env_gets_slices(env_table[load.env]) &&
            env_infos[load.env].slices < load.slices + LOAD_PATIENCE) {
            turn_wait(&load);
            return -AEGIS_E_BUSY;
        }
        end_load();
    }
    if (!load.env && !turn_begin(&load))
        return -AEGIS_E_BUSY;
    result = load.env ? 0 : begin_load(address);
    if (!result)
        result = step_load();
    if (result < 0)
        end_load();
    return result;
}

void handler_load_end(uint32_t env)
{
    if (load.env == env)
        end_load();
}
