/* What the files of this part share. */
#ifndef EXOS_DISK_INTERNAL_H
#define EXOS_DISK_INTERNAL_H

#include "libos/disk/disk.h"

/* The ring of completions, if there is none yet. Returns 0 or a negated error. */
int64_t disk_make_ring(void);

/* After disk_start has said FULL; done is the disk's counter of ended requests from before. */
void disk_wait_room(const struct disk *disk, uint64_t done);

#endif
