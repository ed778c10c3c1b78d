/* Numbers of ucontext_t (signal.h) and struct signal_from (deliver.c), for deliver.S. */
#ifndef EXOS_PROC_DELIVER_H
#define EXOS_PROC_DELIVER_H

#define UC_X(n) (48 + 8 * (n))
#define UC_F(n) (304 + 8 * (n))
#define UC_FCSR 560
#define UC_SIZE 576 /* a multiple of 16 */

#define SIGNAL_FROM_PC    0
#define SIGNAL_FROM_SP    8
#define SIGNAL_FROM_BUSY  16
#define SIGNAL_FROM_FAULT 24

#endif
