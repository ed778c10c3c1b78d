/* Code for raw environments (test.h): position-independent, without a stack. */
#define RAW_CODE     0x10000
#define RAW_DATA     0x20000
#define RAW_FRAMES   0x30000
#define CALL_UPCALL_BIND 0x1024
#define CALL_YIELD   0x1001
#define CALL_ENV_END 0x1022
#define CALL_WAIT    0x1002
#define CALL_WAIT    0x1002
#define CALL_NULL    0x1000
#define CALL_LOG     0x1003
#define CALL_LOAD    0x1038
#define CALL_UNLOAD  0x103a
#define CALL_BIND    0x1060
#define CALL_ACCEPT  0x1062
#define CALL_CALL    0x1063
#define CALL_RETURN  0x1064
#define ERROR_BUSY   24
#define ERROR_TIME   29

        .macro  blob name
        .section .rodata.blob_\name, "a", @progbits
        .balign 16
        .globl  blob_\name, blob_\name\()_end
blob_\name:
        .endm

        .macro  end_self
        li      a0, 0
        mv      a1, s11
        li      a7, CALL_ENV_END
        ecall
        .endm

/*
 * dump: writes all registers as they were at its first instruction to the data page: x0 to x31, f0 to f31 and
 * fcsr, then ends with status 0. Clobbers sp first, which it was given.
 */
        blob    dump
        li      sp, RAW_DATA
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, 8 * \n(sp)
        fsd     f\n, 256 + 8 * \n(sp)
        .endr
        frcsr   t0
        sd      t0, 512(sp)
        li      s11, 0
        end_self
blob_dump_end:

/* Fills every register but sp with a pattern made of a0 and its number. */
        .macro  fill_registers
        mv      x31, a0
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        addi    x1, x31, 64 + \n
        fmv.d.x f\n, x1
        .endr
        .irp    n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        addi    x\n, x31, \n
        .endr
        .endm

/*
 * Compares all registers but x1, x2 and x3 with what fill_registers left there; goes to 9 with s11 the number of the first
 * that differs (64 + n for f registers).
 */
        .macro  compare_registers
        .irp    n, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        addi    x1, x31, \n
        beq     x1, x\n, 2f
        li      s11, \n
        j       9f
2:
        .endr
        fmv.x.d x1, f0
        addi    x1, x1, -64
        beq     x1, x31, 3f
        li      s11, 64
        j       9f
3:
        .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fmv.x.d x1, f\n
        addi    x1, x1, -64 - \n
        beq     x1, x31, 4f
        li      s11, 64 + \n
        j       9f
4:
        .endr
        .endm

/* fill: fills all registers with what a0 says, says so in the data page, and ends while they are full. */
        blob    fill
        fill_registers
        csrwi   fcsr, 0x1f
        li      a1, 1
        sd      a1, -8(sp)              /* the last word of the data page */
        mv      s11, zero
        end_self
blob_fill_end:

/*
 * keep: fills all registers, then compares them over and over until the data page's first word isn't 0, while the
 * timer takes the processor away as it likes. Counts rounds in the second word. Ends with status 0, or with the
 * number of the register that changed (64 + n for f registers).
 */
        blob    keep
        fill_registers
1:
        addi    x1, x31, 3
        beq     x1, x3, 5f
        li      s11, 3
        j       9f
5:      compare_registers
        li      x2, RAW_DATA
        ld      x1, 8(x2)
        addi    x1, x1, 1
        sd      x1, 8(x2)
        ld      x1, 0(x2)
        bnez    x1, 8f
        j       1b
8:      li      s11, 0
9:      end_self
blob_keep_end:

/*
 * faults: as keep, but takes four exceptions a round, of causes that reach the handler on different ways, and compares fcsr,
 * too, which it fills with bits of a0. Its frames are at RAW_FRAMES. Counts exceptions in the third word. Status 254: fcsr
 * differs, 255: no handler.
 */
        blob    faults
        mv      s0, a0
        li      a0, RAW_FRAMES
        sw      zero, 0(a0)
        lla     a1, 7f
        li      a7, CALL_UPCALL_BIND
        ecall
        li      s11, 255
        bnez    a0, 10f
        mv      a0, s0
        srli    a1, a0, 32
        andi    a1, a1, 0x1f
        csrw    fcsr, a1
        fill_registers
1:      .option push
        .option norvc
        ebreak
        .word   0x0000000b              /* custom-0 */
        ld      zero, 8(zero)
        li      x2, RAW_CODE
        sd      zero, 0(x2)
        .option pop
        compare_registers
        frcsr   x1
        srli    x2, x31, 32
        andi    x2, x2, 0x1f
        li      s11, 254
        bne     x1, x2, 9f
        addi    s11, x31, 27
        li      x2, RAW_DATA
        ld      x1, 8(x2)
        addi    x1, x1, 1
        sd      x1, 8(x2)
        ld      x1, 0(x2)
        bnez    x1, 8f
        j       1b
8:      li      s11, 0
9:
10:     end_self
        .balign 4
7:      ld      t1, 8(t0)               /* the handler: struct aegis_upcall_frame */
        addi    t1, t1, 4
        sd      t1, 8(t0)
        li      t1, RAW_DATA
        ld      t2, 16(t1)
        addi    t2, t2, 1
        sd      t2, 16(t1)
        ld      gp, 8(t0)
        li      t2, RAW_FRAMES
        lw      t1, 0(t2)
        addi    t1, t1, -1
        sw      t1, 0(t2)
        ld      t1, 32(t0)
        ld      t2, 40(t0)
        ld      t0, 24(t0)
        jr      gp
blob_faults_end:

/* end: ends with a0 as status. */
        blob    end
        mv      s11, a0
        end_self
blob_end_end:

/* spin: runs away. Counts in the data page, so that one sees it run. */
        blob    spin
        li      a1, RAW_DATA
1:      ld      a2, 0(a1)
        addi    a2, a2, 1
        sd      a2, 0(a1)
        j       1b
blob_spin_end:

/* sleep: waits for ever. */
        blob    sleep
1:      li      a0, 0
        li      a1, 0
        li      a2, -1
        li      a7, CALL_WAIT
        ecall
        j       1b
blob_sleep_end:

/* foreign: a system call of another system, with no handler bound. */
        blob    foreign
        li      a7, 64
        ecall
        li      s11, 1
        end_self
blob_foreign_end:

/*
 * load: downloads the handler of the request at a0 and unloads it, over and over, and tries again while another's
 * download is under way. Any other error goes to the data page, and it stays.
 */
        blob    load
        mv      sp, a0                  /* a call that restarts keeps sp, and neither s0 nor a0 */
2:      mv      a0, sp
        li      a7, CALL_LOAD
        ecall
        li      a1, -ERROR_BUSY
        beq     a0, a1, 2b
        bltz    a0, 3f
        li      a7, CALL_UNLOAD
        ecall
        beqz    a0, 2b
3:      li      a1, RAW_DATA
        sd      a0, 0(a1)
1:      j       1b
blob_load_end:

/* stay: runs away without any memory but its code's. */
        blob    stay
1:      j       1b
blob_stay_end:

/*
 * mirror: serves calls. Each time stores x1 to x31 as it is entered to the data page, counts in its word 0, and returns
 * with those of words 32 to 63, a7 aside. Sent a message, it does the same and accepts again.
 */
        blob    mirror
2:      lla     a0, 1f
        lla     a1, 3f
        li      a7, CALL_ACCEPT
        ecall
        .macro  store_all
        fmv.d.x f0, t0
        li      t0, RAW_DATA
        .irp    n, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, 8 * \n(t0)
        .endr
        fmv.x.d t1, f0
        sd      t1, 40(t0)
        ld      t1, 0(t0)
        addi    t1, t1, 1
        sd      t1, 0(t0)
        .endm
1:      store_all
        .irp    n, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ld      x\n, 256 + 8 * \n(t0)
        .endr
        ld      t0, 256 + 40(t0)
        li      a7, CALL_RETURN
        ecall
        mv      s11, a0
        end_self
3:      store_all
        j       2b
blob_mirror_end:

/* relay: waits until word 1 of the data page isn't 0, then calls through gate 0, which it binds with the capability at
 * word 8, again as long as that is busy or the slice is nearly over; stores what comes back, t0 and a0, in words 2 and 3,
 * and counts in word 0. */
        blob    relay
        li      sp, RAW_DATA
1:      li      a0, 0
        li      a7, CALL_YIELD
        ecall
        ld      t1, 8(sp)
        beqz    t1, 1b
        li      a0, 0
        addi    a1, sp, 64
        li      a7, CALL_BIND
        ecall
        li      a0, 0
        li      a7, CALL_CALL
        ecall
        li      sp, RAW_DATA
        bnez    t0, 3f
        li      t1, -ERROR_BUSY
        beq     a0, t1, 1b
        li      t1, -ERROR_TIME
        beq     a0, t1, 1b
3:      sd      t0, 16(sp)
        sd      a0, 24(sp)
        ld      t1, 0(sp)
        addi    t1, t1, 1
        sd      t1, 0(sp)
        li      s11, 0
2:      ld      t1, 8(sp)
        bnez    t1, 2b
        end_self
blob_relay_end:

/* captor: serves one call and never returns. Counts in word 0 of the data page. */
        blob    captor
        lla     a0, 1f
        li      a1, 0
        li      a7, CALL_ACCEPT
        ecall
1:      li      a1, RAW_DATA
2:      ld      a2, 0(a1)
        addi    a2, a2, 1
        sd      a2, 0(a1)
        j       2b
blob_captor_end:
