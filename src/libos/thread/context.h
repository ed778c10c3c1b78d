/* Numbers of struct thread (internal.h), for switch.S. tp lies THREAD_SIZE behind its beginning. */
#ifndef EXOS_THREAD_CONTEXT_H
#define EXOS_THREAD_CONTEXT_H

#define THREAD_SIZE   1024 /* app.ld keeps as much in front of the first thread's TLS block */
#define THREAD_NEXT   0
#define THREAD_RESUME 8
#define THREAD_FCSR   16
#define THREAD_MARK   24
#define THREAD_X(n)   (32 + 8 * (n)) /* x0 is the pc's place */
#define THREAD_F(n)   (288 + 8 * (n))

#define THREAD_RUNG_HOOK 8 /* in struct exos_wait_hooks */

#define THREAD_CALL_YIELD 0x1001
#define THREAD_CALL_WAIT  0x1002

#endif
