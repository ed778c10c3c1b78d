/*
 * Downloading a handler: its image is copied, verified and compiled in a call that restarts itself,
 * one download at a time; then it becomes one of the table (handler.h).
 */
#ifndef AEGIS_KERNEL_HANDLER_LOAD_H
#define AEGIS_KERNEL_HANDLER_LOAD_H

#include <stdint.h>

/* Takes the pages that verifying and compiling need. Only at boot. */
void handler_load_init(void);

/* The pieces of the arena that the download under way has; NULL for those that it hasn't. */
void handler_loading(const void *pieces[3]);

/* Gives the download under way up, if env makes it. */
void handler_load_end(uint32_t env);

#endif
