/* What kv reads of requests and says in answers. Pure: also on the host. */
#ifndef KV_REQUEST_H
#define KV_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "kv/store.h"

#define KV_ANSWER_MAX (sizeof(struct kv_header) + KV_VALUE_MAX)

/*
 * Carries out the request in size bytes, which nobody has looked at, and writes the answer, at most
 * KV_ANSWER_MAX bytes. Returns the answer's bytes; 0: nobody is to be answered.
 */
size_t kv_serve(struct store *store, const uint8_t *request, size_t size, uint8_t *answer);

#endif
