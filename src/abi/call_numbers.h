/* The range of native system call numbers, for C and for assembly. */
#ifndef AEGIS_ABI_CALL_NUMBERS_H
#define AEGIS_ABI_CALL_NUMBERS_H

#define AEGIS_CALL_BITS  7      /* of a native number, for entry.S */
#define AEGIS_CALL_FIRST 0x1000 /* below: foreign numbers, upcalled to the library */
#define AEGIS_CALL_END                                                                             \
    (AEGIS_CALL_FIRST + (1 << AEGIS_CALL_BITS)) /* beyond the last native number */
#define AEGIS_NO_CALL_ERROR 1                   /* AEGIS_E_NO_CALL, for assembly */

/* Call gates. */
#define AEGIS_GATE_BITS  4                      /* of a gate's index, for assembly */
#define AEGIS_GATES      (1 << AEGIS_GATE_BITS) /* of an environment */
#define AEGIS_DONATE_MIN 2000 /* rdtime ticks of a slice that must be left for gate_call */
#define AEGIS_LIVE_STATE 2    /* AEGIS_ENV_LIVE, for assembly */

#endif
