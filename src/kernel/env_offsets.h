/* Offsets in struct env (env.h), and in what the kernel writes to an upcall page, for rv64/entry.S.
 */
#ifndef AEGIS_KERNEL_ENV_OFFSETS_H
#define AEGIS_KERNEL_ENV_OFFSETS_H

#define ENV_X(n)        (8 * (n))
#define ENV_PC          256
#define ENV_LEAF_REGION 264
#define ENV_LEAF_TABLE  272
#define ENV_STATE       296
#define ENV_CALLER      304
#define ENV_ENTRY       312
#define ENV_SATP        320
#define ENV_INFO        328
#define ENV_NUMBER      336
#define ENV_IN_CALL     340
#define ENV_FORCED      341
#define ENV_IN_EPILOGUE 342
#define ENV_GATES       344

#define ENV_BITS   10 /* of an environment's number */
#define INFO_STATE 8  /* of struct aegis_env_info */

#define REGION_SHIFT 21 /* of what a level-0 table maps */

/* struct aegis_upcall_page, whose frames follow a head of a frame's size; struct
 * aegis_upcall_frame. */
#define UPCALL_DEPTH 0
#define FRAME_SHIFT  6
#define FRAME_CAUSE  0
#define FRAME_PC     8
#define FRAME_VALUE  16
#define FRAME_T0     24
#define FRAME_T1     32
#define FRAME_T2     40
#define FRAMES       4

#endif
