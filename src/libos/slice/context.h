/* Numbers of slice.c's structures, for entry.S. */
#ifndef EXOS_SLICE_CONTEXT_H
#define EXOS_SLICE_CONTEXT_H

#define SLICE_CONTEXT_SIZE 256 /* struct aegis_context: pc, x1 to x31 */

/* struct aegis_upcall_frame, and where the first is in its page. */
#define SLICE_FRAME_PC    8
#define SLICE_FRAME_T0    24 /* behind it t1 and t2 */
#define SLICE_FRAME_SHIFT 6
#define SLICE_FRAMES      64

#define SLICE_CALL_YIELD  0x1001
#define SLICE_CALL_RESUME 0x1025

#endif
