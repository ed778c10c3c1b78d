/* Values of a thread's own. A key's number is used again; its generation tells old values apart. */
#include <stdlib.h>

#include "libos/thread/internal.h"

struct specific {
    uint64_t generation;
    void *value;
};

static struct key {
    uint64_t generation; /* odd: in use */
    void (*destructor)(void *);
} keys[PTHREAD_KEYS_MAX];

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    pthread_key_t k = 0;

    exos_hold();
    while (k < PTHREAD_KEYS_MAX && keys[k].generation % 2)
        k++;
    if (k < PTHREAD_KEYS_MAX) {
        keys[k].generation++;
        keys[k].destructor = destructor;
        *key = k;
    }
    exos_release();
    return k < PTHREAD_KEYS_MAX ? 0 : EAGAIN;
}

static bool is_key(pthread_key_t key)
{
    return key < PTHREAD_KEYS_MAX && keys[key].generation % 2;
}

int pthread_key_delete(pthread_key_t key)
{
    exos_hold();
    int error = is_key(key) ? 0 : EINVAL;
    if (!error)
        keys[key].generation++;
    exos_release();
    return error;
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
    struct thread *self = thread_self();

    if (!is_key(key))
        return EINVAL;
    if (!self->specific && !(self->specific = calloc(PTHREAD_KEYS_MAX, sizeof *self->specific)))
        return ENOMEM;
    self->specific[key] = (struct specific){keys[key].generation, (void *)(uintptr_t)value};
    return 0;
}

void *pthread_getspecific(pthread_key_t key)
{
    const struct specific *specific = thread_self()->specific;

    return specific && is_key(key) && specific[key].generation == keys[key].generation
               ? specific[key].value
               : NULL;
}

/* One round; returns whether a destructor has run. */
static bool destroy_values(struct specific *specific)
{
    bool any = false;
    for (pthread_key_t k = 0; k < PTHREAD_KEYS_MAX; k++) {
        void *value = specific[k].value;
        if (!value || specific[k].generation != keys[k].generation || !keys[k].destructor)
            continue;
        specific[k].value = NULL;
        keys[k].destructor(value);
        any = true;
    }
    return any;
}

void thread_end_keys(struct thread *self)
{
    for (int i = 0; self->specific && i < PTHREAD_DESTRUCTOR_ITERATIONS; i++)
        if (!destroy_values(self->specific))
            break;
    free(self->specific);
    self->specific = NULL;
}
