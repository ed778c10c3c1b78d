/* Offsets in struct env (env.h), for rv64/entry.S. */
#ifndef AEGIS_KERNEL_ENV_OFFSETS_H
#define AEGIS_KERNEL_ENV_OFFSETS_H

#define ENV_X(n) (8 * (n))
#define ENV_PC   256

#endif
