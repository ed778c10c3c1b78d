/* QEMU as a child process: is it there and new enough, its arguments, its start and its end. */
#ifndef AEGISCTL_QEMU_H
#define AEGISCTL_QEMU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/abi.h"
#include "instance.h"
#include "why.h"

#define QEMU_FORWARDS_MAX 8
#define QEMU_DISKS_MAX    AEGIS_DISKS_MAX /* that the kernel takes */

/* Port `host` of 127.0.0.1 leads to port `guest` of the machine, of UDP or of TCP; host 0: QEMU
 * picks a free one. */
struct forward {
    uint16_t host, guest;
    bool tcp;
};

/* An image of a disk. */
struct disk {
    const char *path;
    const char *errors; /* a configuration of QEMU's blkdebug, or NULL: requests that fail */
    const char *log;    /* where QEMU's blklogwrites notes writes and flushes, or NULL */
    int block;          /* bytes of a logical block: 512 or 4096 */
    bool read_only;
};

struct machine {
    const char *kernel, *initrd; /* files; initrd may be NULL */
    const char *append;          /* boot arguments beside ip=, or NULL */
    const char *net;             /* user, none, dgram:LOCAL,REMOTE or stream:PATH */
    long memory;                 /* MiB */
    long cpus;
    struct forward forwards[QEMU_FORWARDS_MAX]; /* of user networking */
    int forward_count;
    struct disk disks[QEMU_DISKS_MAX];
    int disk_count;
};

struct qemu {
    pid_t pid;   /* 0: not started, or its end was seen */
    int serial;  /* reads what the machine prints */
    int console; /* stream socket to the machine's virtio-console */
    int monitor; /* stream socket to QEMU's monitor (HMP) */
    int ram;     /* memfd that is the machine's memory */
};

/* Whether net is a network that QEMU can be started with; else why says what would be right. */
int qemu_check_net(const char *net, struct why *why);

/* Read what --disk says: a file and options, which are cut off text. The disk refers to text. */
int qemu_parse_disk(char *text, struct disk *disk, struct why *why);

/* Whether QEMU can have the disk's files; the log is made anew. */
int qemu_check_disk(const struct disk *disk, struct why *why);

/* QEMU's -blockdev and -device for the machine's disk of that number, each of at most size bytes.
 * Returns -1 if that is too little. */
int qemu_disk_arguments(const struct disk *disk, int number, char *drive, char *device,
                        size_t size);

/* Check that QEMU is on the PATH and new enough; takes at most 10 s. */
int qemu_check(struct why *why);

/*
 * Start QEMU. It dies with the calling thread. Its complaints go to the instance's qemu.log. The
 * descriptors are the caller's.
 */
int qemu_start(struct qemu *qemu, const struct machine *machine, const struct instance *instance,
               struct why *why);

/*
 * Ask a started QEMU which ports of the host it forwards, into machine->forwards. At most limit_ms
 * milliseconds. An end of QEMU meanwhile is an error here; qemu_complaint then tells of it.
 */
int qemu_ports(const struct qemu *qemu, struct machine *machine, long limit_ms, struct why *why);

/* The last line of qemu.log with what would mend it, if that is known; false if there is none. */
bool qemu_complaint(const struct instance *instance, struct why *why);

#endif
