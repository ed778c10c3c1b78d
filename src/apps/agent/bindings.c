#include "agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dpf/dpf.h"
#include "image/cpio.h"
#include "libos/net/net.h"
#include "libos/start/error.h"
#include "libos/time/time.h"

#define RING_LIMIT 1000000000UL  /* ns for a program to start and name its ring, */
#define NETD_LIMIT 10000000000UL /* where a loaded host has to compile netd's handlers first */

static struct binding bindings[BINDINGS_MAX]; /* the first `count`, in the order of loading */
static uint32_t count;

struct binding *binding_at(uint32_t index)
{
    return index < count ? &bindings[index] : NULL;
}

struct binding *binding_named(const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(bindings[i].name, name))
            return &bindings[i];
    return NULL;
}

bool binding_alive(const struct binding *binding)
{
    const volatile struct aegis_binding_info *info = aegis_binding(binding->number);
    return info->owner == binding->env && info->generation == binding->generation;
}

bool refuse(struct refusal *refusal, uint32_t code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    refusal->code = code;
    vsnprintf(refusal->text, sizeof refusal->text, format, arguments);
    va_end(arguments);
    return false;
}

bool refuse_kernel(struct refusal *refusal, const char *what, int64_t status)
{
    return refuse(refusal, (uint32_t)-status, "%s: %s: %s; %s", what, aegis_error_name(status),
                  aegis_strerror(status), aegis_remedy(status));
}

bool refuse_filter(struct refusal *refusal, const char *which, int status)
{
    return refuse(refusal, AEGIS_E_FILTER, "the %s filter: %s; compile it with dpfc", which,
                  dpf_strerror(status));
}

/* The images of a binding, 8-byte aligned as the library and the kernel want them. */
struct images {
    uint64_t ingress[DPF_IMAGE_MAX / 8];
    uint64_t asked[DPF_IMAGE_MAX / 8];  /* the egress filter as it came */
    uint64_t egress[DPF_IMAGE_MAX / 8]; /* conjoined with the interface's */
    uint64_t source[64];                /* "the source is the interface's address" */
    int egress_size;
};

/*
 * The kernel refuses an egress filter that isn't contained in the parent's, and rewrites none: so
 * the root's condition, the interface's own source address, goes in front here. Ingress needs
 * nothing: a root takes all.
 */
static bool prepare(struct images *images, const struct control_load *load, struct refusal *refusal)
{
    struct dpf_filter ingress, asked, source;
    const volatile struct aegis_netif_info *netif = &aegis_info()->netifs[load->netif];
    uint8_t mac[6];

    for (size_t i = 0; i < sizeof mac; i++)
        mac[i] = netif->mac[i];
    memcpy(images->ingress, load->ingress.data, load->ingress.size);
    memcpy(images->asked, load->egress.data, load->egress.size);
    int status = dpf_verify(images->ingress, load->ingress.size, &ingress);
    if (status)
        return refuse_filter(refusal, "ingress", status);
    status = dpf_verify(images->asked, load->egress.size, &asked);
    if (status)
        return refuse_filter(refusal, "egress", status);
    status = dpf_make_source_mac(images->source, sizeof images->source, mac);
    if (status > 0)
        status = dpf_verify(images->source, (size_t)status, &source);
    if (status == 0)
        status = dpf_conjoin(&source, &asked, images->egress, sizeof images->egress);
    if (status < 0)
        return refuse_filter(refusal, "egress", status);
    images->egress_size = status;
    return true;
}

/* Bind for a program, or, without one, for the agent; the binding's number, or -1 with *refusal. */
static int64_t bind(const struct app *app, const struct images *images,
                    const struct control_load *load, struct refusal *refusal)
{
    struct aegis_net_binding request = {.parent = agent_root(load->netif),
                                        .ingress = images->ingress,
                                        .ingress_size = load->ingress.size,
                                        .egress = images->egress,
                                        .egress_size = (uint64_t)images->egress_size};
    int64_t status = 0;
    if (app)
        status = aegis_cap_mint(AEGIS_KIND_ENV, app->proc.env, AEGIS_RIGHT_CONTROL, &request.owner);
    if (status == 0)
        status = net_bind(&request);
    if (status < 0) {
        char what[64];
        snprintf(what, sizeof what, "binding %s", load->name);
        refuse_kernel(refusal, what, status);
        return -1;
    }
    return status;
}

static struct app *find_app(const struct control_load *load, const char *argument, bool anew,
                            struct refusal *refusal)
{
    int64_t status;
    struct app *app = app_find(load->app, load->netif, argument, anew, &status);
    if (!app && status == -(PROC_CPIO_ERROR + CPIO_E_NOT_FOUND))
        refuse(refusal, CONTROL_E_NO_APP, "the initial RAM disk has no program %s", load->app);
    else if (!app)
        refuse(refusal, CONTROL_E_APP, "starting %s: %s", load->app, proc_strerror(status));
    return app;
}

static struct binding *remember(const struct control_load *load, uint32_t number, uint32_t env,
                                struct handler *handler)
{
    struct binding *b = &bindings[count++];
    *b = (struct binding){.number = number,
                          .generation = aegis_binding(number)->generation,
                          .env = env,
                          .netif = load->netif,
                          .handler = handler,
                          .ingress_size = load->ingress.size,
                          .egress_size = load->egress.size};
    memcpy(b->name, load->name, sizeof b->name);
    memcpy(b->app, load->app, sizeof b->app);
    return b;
}

static void forget(struct binding *binding)
{
    size_t index = (size_t)(binding - bindings);
    handler_unload(binding->handler);
    memmove(binding, binding + 1, (count - index - 1) * sizeof *binding);
    count--;
}

/* The name is free, or that of a binding which went with its program; there are room and an
 * interface. */
static bool check(const struct control_load *load, struct refusal *refusal)
{
    struct binding *old = binding_named(load->name);
    if (!load->app[0] && !load->handler.size)
        return refuse(refusal, CONTROL_E_NO_TARGET,
                      "binding %s: it needs an application or a handler", load->name);
    if (old && binding_alive(old))
        return refuse(refusal, CONTROL_E_NAME_IN_USE,
                      "a binding %s exists; unload it first, or choose another name", load->name);
    if (load->netif >= aegis_info()->netif_count)
        return refuse(refusal, CONTROL_E_NO_NETIF,
                      "the machine has %u network interfaces, no number %u",
                      (unsigned)aegis_info()->netif_count, (unsigned)load->netif);
    if (!old && count == BINDINGS_MAX)
        return refuse(refusal, CONTROL_E_FULL,
                      "the agent holds %u bindings already; unload one first", BINDINGS_MAX);
    return true;
}

/* Whether another binding of the same program has waited for its ring in vain: it has as many as it
 * can serve, or hangs. */
static bool is_behind(const struct binding *binding)
{
    for (size_t i = 0; i < count; i++) {
        const struct binding *b = &bindings[i];
        if (b != binding && b->app[0] && b->env == binding->env && binding_alive(b) &&
            !aegis_binding(b->number)->slots)
            return true;
    }
    return false;
}

/*
 * Wait until the program has named its ring, so that who asked for the binding may send at once;
 * but not for one that ends or takes its time, and may name it later.
 */
static void await_ring(const struct binding *binding, uint64_t limit)
{
    const volatile struct aegis_binding_info *info = aegis_binding(binding->number);
    struct aegis_predicate when[] = {
        /* the word that holds parent, netif and slots */
        {(const volatile uint64_t *)&info->parent, UINT64_C(0xffff) << 48, 0, AEGIS_WAKE_NE},
        aegis_when_ended(binding->env),
    };
    _Static_assert(offsetof(struct aegis_binding_info, parent) % 8 == 0 &&
                       offsetof(struct aegis_binding_info, slots) ==
                           offsetof(struct aegis_binding_info, parent) + 6,
                   "slots are the word's upper quarter");
    aegis_wait(when, 2, time_after(limit));
}

/* What binding_make has made; if a step fails, those before it are undone. */
struct making {
    struct images *images;
    struct handler *handler; /* or NULL */
    struct app *app;         /* or NULL */
    int64_t number;          /* of the binding; negative: none */
};

/* The handler comes first: no frame of the binding reaches the program before it runs. */
static bool make(struct making *m, const struct control_load *load, const char *argument, bool anew,
                 struct refusal *refusal)
{
    m->images = malloc(sizeof *m->images);
    if (!m->images)
        return refuse(refusal, CONTROL_E_NO_MEMORY, "no memory for the filters");
    if (!prepare(m->images, load, refusal))
        return false;
    if (load->handler.size && !(m->handler = handler_load(load, refusal)))
        return false;
    if (load->app[0] && !(m->app = find_app(load, argument, anew, refusal)))
        return false;
    m->number = bind(m->app, m->images, load, refusal);
    if (m->number < 0)
        return false;
    if (m->handler && !handler_bind(m->handler, (uint32_t)m->number, refusal))
        return false;
    int64_t status = m->app ? app_start(m->app) : 0;
    return status == 0 || refuse_kernel(refusal, load->app, status);
}

static void unmake(const struct making *m)
{
    if (m->number >= 0)
        aegis_net_unbind((uint32_t)m->number);
    handler_unload(m->handler);
    if (m->app)
        app_abandon(m->app);
}

struct binding *binding_make(const struct control_load *load, const char *argument, bool anew,
                             struct refusal *refusal)
{
    struct making m = {.number = -1};

    if (!check(load, refusal))
        return NULL;
    bool made = make(&m, load, argument, anew, refusal);
    free(m.images);
    if (!made) {
        unmake(&m);
        return NULL;
    }
    struct binding *old = binding_named(load->name);
    if (old)
        forget(old);
    struct binding *b =
        remember(load, (uint32_t)m.number, m.app ? m.app->proc.env : exos.env, m.handler);
    if (m.app && !is_behind(b))
        await_ring(b, strcmp(load->app, NETD) ? RING_LIMIT : NETD_LIMIT);
    return b;
}

bool binding_undo(struct binding *binding, struct refusal *refusal)
{
    if (binding_alive(binding)) {
        int64_t status = aegis_net_unbind(binding->number);
        if (status < 0)
            return refuse_kernel(refusal, binding->name, status);
    }
    forget(binding);
    return true;
}
