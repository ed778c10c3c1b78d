#include "agent.h"

#include <stdio.h>
#include <string.h>

#include "image/cpio.h"

static struct app apps[APPS_MAX];
static uint64_t ended_seen;

static struct app *running(const char *name)
{
    for (size_t i = 0; i < APPS_MAX; i++) {
        struct app *app = &apps[i];
        if (!strcmp(app->name, name) && aegis_env(app->proc.env)->state == AEGIS_ENV_LIVE)
            return app;
    }
    return NULL;
}

size_t app_capabilities(const char *name, uint32_t netif, struct aegis_cap caps[EXOS_CAPS_MAX])
{
    struct aegis_cap root = agent_root(netif);
    size_t count = 0;

    if (!strcmp(name, NETD)) {
        struct aegis_cap loop = agent_root(aegis_info()->netif_count);
        count = aegis_cap_derive(&root, AEGIS_RIGHT_DELEGATE, caps) == 0;
        if (count && netif == 0) /* the loop's ports are one netd's */
            count += aegis_cap_derive(&loop, AEGIS_RIGHT_DELEGATE, &caps[count]) == 0;
        return count;
    }
    for (size_t i = 0; i < APPS_MAX && count < EXOS_CAPS_MAX; i++) {
        const struct app *app = &apps[i];
        if (!strcmp(app->name, NETD) && aegis_env(app->proc.env)->state == AEGIS_ENV_LIVE &&
            aegis_cap_mint(AEGIS_KIND_ENV, app->proc.env, AEGIS_RIGHT_CALL, &caps[count]) == 0)
            count++;
    }
    if (count < EXOS_CAPS_MAX)
        count += network_directory(&caps[count]);
    return count;
}

/* The program is another's in the archive; without one there, it isn't found by its own name
 * either. */
static void take_image_of(const char *name, struct proc_options *options)
{
    const volatile struct aegis_info *info = aegis_info();
    struct cpio_entry file;

    if (cpio_find((const void *)(uintptr_t)info->initrd, info->initrd_size, name, &file) != 0)
        return;
    options->image = file.data;
    options->image_size = file.size;
}

struct app *app_make(const char *name, uint32_t netif, int argc, char *const argv[],
                     const struct extents *extents, int64_t *status)
{
    struct aegis_cap caps[EXOS_CAPS_MAX];
    struct proc_options options = {.name = name, .argc = argc, .argv = argv, .caps = caps};

    if (!strcmp(name, NETD_FRAMES))
        take_image_of(NETD, &options);
    options.cap_count = app_capabilities(name, netif, caps);
    for (size_t i = 0; extents && i < extents->count && options.cap_count < EXOS_CAPS_MAX; i++)
        caps[options.cap_count++] = extents->caps[i];

    for (size_t i = 0; i < APPS_MAX; i++) {
        struct app *app = &apps[i];
        if (app->name[0])
            continue;
        *status = proc_create(&app->proc, &options);
        if (*status < 0)
            return NULL;
        strncpy(app->name, name, sizeof app->name - 1);
        app->started = false;
        return app;
    }
    *status = -AEGIS_E_NO_SLOT;
    return NULL;
}

struct app *app_find(const char *name, uint32_t netif, const char *argument, bool anew,
                     int64_t *status)
{
    char *const argv[] = {(char *)(uintptr_t)name, (char *)(uintptr_t)argument, NULL};
    struct app *app = anew ? NULL : running(name);
    return app ? app : app_make(name, netif, argument ? 2 : 1, argv, NULL, status);
}

int64_t app_start(struct app *app)
{
    int64_t status = app->started ? 0 : proc_start(&app->proc);
    app->started |= status == 0;
    return status;
}

void app_abandon(struct app *app)
{
    struct proc_status ignored;
    if (app->started)
        return;
    proc_kill(&app->proc, 0);
    proc_wait(&app->proc, &ignored, AEGIS_FOREVER);
    app->name[0] = 0;
}

void apps_reap(void)
{
    ended_seen = aegis_env(exos.env)->ended; /* before the look: an end after it shows again */
    for (size_t i = 0; i < APPS_MAX; i++) {
        struct app *app = &apps[i];
        struct proc_status status;
        char text[128];
        uint32_t env = app->proc.env;
        if (!app->name[0] || !proc_reap(&app->proc, &status))
            continue;
        printf("agent: %s (environment %u) has ended: %s\n", app->name, (unsigned)env,
               proc_describe(&status, text, sizeof text));
        app->name[0] = 0;
    }
}

struct aegis_predicate apps_when_ended(void)
{
    return AEGIS_WHEN(aegis_env(exos.env)->ended, NE, ended_seen);
}
