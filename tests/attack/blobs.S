/* Code for raw environments (tests/guest/test.h): position-independent, without a stack. */
#include "abi/call_numbers.h"
#define RAW_CODE           0x10000
#define RAW_DATA           0x20000
#define RAW_FRAMES         0x30000
#define CALL_YIELD         0x1001
#define CALL_UPCALL_BIND   0x1024
#define CALL_WAIT          0x1002
#define CALL_CAP_MINT      0x1005
#define CALL_ENV_END       0x1022
#define CALL_NET_BIND      0x1030
#define CALL_HANDLER_LOAD  0x1038
#define CALL_CONSOLE_BIND  0x1042
#define CALL_ACCEPT        0x1062
#define CALL_RETURN        0x1064
#define KIND_PAGE          1
#define RIGHT_READ         1

        .macro  blob name
        .section .rodata.blob_\name, "a", @progbits
        .balign 16
        .globl  blob_\name, blob_\name\()_end
blob_\name:
        .endm

/*
 * pinned: a0 is the number of its code page, which it owns. Leaves a READ capability for it at RAW_DATA + 64, and
 * waits for ever on words in it, so that it stays pinned as often as one wait can pin it.
 */
        blob    pinned
        mv      a1, a0
        li      a0, KIND_PAGE
        li      a2, RIGHT_READ
        li      a3, RAW_DATA + 64
        li      a7, CALL_CAP_MINT
        ecall
        li      t0, RAW_DATA + 128
        li      t1, 4
        li      t2, RAW_CODE
        li      t3, 1
1:      sd      t2, 0(t0)               /* word */
        sd      zero, 8(t0)             /* mask */
        sd      t3, 16(t0)              /* value, which no masked word has */
        sd      zero, 24(t0)            /* EQ */
        addi    t0, t0, 32
        addi    t1, t1, -1
        bnez    t1, 1b
        li      t0, RAW_DATA
        sd      t3, 0(t0)               /* says that it is about to wait */
        li      a0, RAW_DATA + 128
        li      a1, 4
        li      a2, -1
        li      a7, CALL_WAIT
        ecall
        unimp
blob_pinned_end:

/* scribble: writes odd values over and over to the first words of its data page. */
        blob    scribble
        li      t0, RAW_DATA
        li      t1, 0
1:      addi    t1, t1, 1
        sw      t1, 0(t0)
        li      t2, -1
        sw      t2, 0(t0)
        li      t2, 4
        sw      t2, 0(t0)
        sd      zero, 0(t0)
        sd      t1, 64(t0)
        sd      t1, 72(t0)              /* pc of the first frame, too */
        slli    t2, t1, 60
        sd      t2, 0(t0)
        j       1b
blob_scribble_end:

/* forever: an exception whose handler, which counts in the data page, goes back to it. Its frames are at RAW_FRAMES. */
        blob    forever
        li      a0, RAW_FRAMES
        sw      zero, 0(a0)
        lla     a1, 1f
        li      a7, CALL_UPCALL_BIND
        ecall
        ebreak
        .balign 4
1:      li      t1, RAW_DATA
        ld      t2, 0(t1)
        addi    t2, t2, 1
        sd      t2, 0(t1)
        ld      gp, 8(t0)
        li      t2, RAW_FRAMES
        lw      t1, 0(t2)
        addi    t1, t1, -1
        sw      t1, 0(t2)
        jr      gp
blob_forever_end:

/* download: downloads the handler that the request at RAW_DATA + 64 names, and ends with the result. */
        blob    download
        li      t0, RAW_DATA
        li      t1, 1
        sd      t1, 0(t0)
        li      a0, RAW_DATA + 64
        li      a7, CALL_HANDLER_LOAD
        ecall
        mv      a1, a0
        li      a0, 0
        li      a7, CALL_ENV_END
        ecall
blob_download_end:

/* bind: the same with net_bind. */
        blob    bind
        li      t0, RAW_DATA
        li      t1, 1
        sd      t1, 0(t0)
        li      a0, RAW_DATA + 64
        li      a7, CALL_NET_BIND
        ecall
        mv      a1, a0
        li      a0, 0
        li      a7, CALL_ENV_END
        ecall
blob_bind_end:

/* console: binds the console with the capability at RAW_DATA + 64, leaves the result at RAW_DATA + 8, and stays. */
        blob    console
        li      a0, RAW_DATA + 64
        li      a7, CALL_CONSOLE_BIND
        ecall
        li      t0, RAW_DATA
        sd      a0, 8(t0)
        li      t1, 1
        sd      t1, 0(t0)
1:      li      a0, 0
        li      a7, CALL_YIELD
        ecall
        j       1b
blob_console_end:

/* call: makes the system call whose a0 to a5 and a7 stand at RAW_DATA + 64, leaves its result at RAW_DATA + 8, and a 1 at
 * RAW_DATA; when that becomes 0, again. */
        blob    call
2:      li      t0, RAW_DATA
        ld      a0, 64(t0)
        ld      a1, 72(t0)
        ld      a2, 80(t0)
        ld      a3, 88(t0)
        ld      a4, 96(t0)
        ld      a5, 104(t0)
        ld      a7, 112(t0)
        ecall
        li      t0, RAW_DATA
        sd      a0, 8(t0)
        li      t1, 1
        sd      t1, 0(t0)
1:      li      a0, 0
        li      a7, CALL_YIELD
        ecall
        li      t0, RAW_DATA
        ld      t1, 0(t0)
        beqz    t1, 2b
        j       1b
blob_call_end:

/* obeyer: serves; makes the call number word 1 of the data page, with word 2 in a0 and a1; if it comes back, stores the
 * result in word 3, and returns to its caller. */
        blob    obeyer
        lla     a0, 1f
        li      a1, 0
        li      a7, CALL_ACCEPT
        ecall
1:      li      sp, RAW_DATA
        ld      a7, 8(sp)
        ld      a0, 16(sp)
        mv      a1, a0
        ecall
        sd      a0, 24(sp)
        li      a7, CALL_RETURN
        ecall
        unimp
blob_obeyer_end:

/* yielder: serves, and yields until word 1 of the data page is a call's number; makes the call as long as it gives an
 * error, whose first it stores in word 2. Word 0 says that it serves. */
        blob    yielder
        lla     a0, 1f
        li      a1, 0
        li      a7, CALL_ACCEPT
        ecall
1:      li      sp, RAW_DATA
        li      a0, 1
        sd      a0, 0(sp)
2:      li      a0, 0
        li      a7, CALL_YIELD
        ecall
        ld      a7, 8(sp)
        beqz    a7, 2b
        ecall
        ld      a1, 16(sp)
        bnez    a1, 2b
        sd      a0, 16(sp)
        j       2b
blob_yielder_end:
