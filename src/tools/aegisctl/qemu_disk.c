/* Images of disks: what --disk says, whether QEMU can have it, and QEMU's arguments for it. */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHAT "FILE[,readonly][,block=512|4096][,errors=FILE][,log=FILE]"

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Take one option behind the file's name. Returns false if it is none. */
static bool take_option(struct disk *disk, const char *option)
{
    if (strcmp(option, "readonly") == 0) {
        disk->read_only = true;
    } else if (strcmp(option, "block=512") == 0 || strcmp(option, "block=4096") == 0) {
        disk->block = option[6] == '5' ? 512 : 4096;
    } else if (starts(option, "errors=") && option[7] != 0) {
        disk->errors = option + 7;
    } else if (starts(option, "log=") && option[4] != 0) {
        disk->log = option + 4;
    } else {
        return false;
    }
    return true;
}

/* Options are taken from the end, so that a file's name may have commas. */
int qemu_parse_disk(char *text, struct disk *disk, struct why *why)
{
    char *comma;

    *disk = (struct disk){.block = 512};
    while ((comma = strrchr(text, ',')) != NULL && take_option(disk, comma + 1)) {
        *comma = 0;
    }
    disk->path = text;
    if (text[0] == 0) {
        return why_set(why, "the name of a file is missing: " WHAT);
    }
    if (comma != NULL && access(text, F_OK) != 0) {
        return why_set(why, "there is no file \"%s\", and \"%s\" is no option: " WHAT, text,
                       comma + 1);
    }
    return 0;
}

static int check_image(const struct disk *disk, struct why *why)
{
    int fd = open(disk->path, (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    off_t size;

    if (fd < 0) {
        return why_set(why, "%s: %s%s", disk->path, strerror(errno),
                       errno == ENOENT ? "; aegisctl disk init makes an image"
                       : !disk->read_only && (errno == EACCES || errno == EROFS)
                           ? "; for a disk that is only read, put \",readonly\" behind it"
                           : "");
    }
    size = lseek(fd, 0, SEEK_END);
    close(fd);
    if (size < disk->block || size % disk->block != 0) {
        return why_set(why,
                       "%s: its size, %lld bytes, is no positive multiple of its block's, %d; "
                       "truncate -s makes a file longer",
                       disk->path, (long long)size, disk->block);
    }
    return 0;
}

int qemu_check_disk(const struct disk *disk, struct why *why)
{
    int fd;

    if (check_image(disk, why) != 0) {
        return -1;
    }
    if (disk->errors != NULL && access(disk->errors, R_OK) != 0) {
        return why_set(why, "%s: %s", disk->errors, strerror(errno));
    }
    if (disk->log == NULL) {
        return 0;
    }
    fd = open(disk->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); /* QEMU makes none */
    if (fd < 0) {
        return why_set(why, "%s: %s", disk->log, strerror(errno));
    }
    close(fd);
    return 0;
}

/* Room for a value of QEMU's options. */
struct value {
    char text[4096];
};

/* A path as such a value: its commas are doubled. */
static const char *escape(struct value *value, const char *path)
{
    size_t at = 0;

    for (; *path != 0 && at + 3 < sizeof value->text; path++) {
        value->text[at++] = *path;
        if (*path == ',') {
            value->text[at++] = ',';
        }
    }
    value->text[at] = 0;
    return value->text;
}

int qemu_disk_arguments(const struct disk *disk, int number, char *drive, char *device, size_t size)
{
    struct value path, log, errors;
    const char *file = "file"; /* where in the chain of drivers the file stands */
    char chain[9000] = "";
    int used = 0;

    if (disk->log != NULL) {
        used += snprintf(chain + used, sizeof chain - (size_t)used,
                         ",file.driver=blklogwrites,file.log.driver=file,file.log.filename=%s",
                         escape(&log, disk->log));
        file = "file.file";
    }
    if (disk->errors != NULL) {
        used +=
            snprintf(chain + used, sizeof chain - (size_t)used, ",%s.driver=blkdebug,%s.config=%s",
                     file, file, escape(&errors, disk->errors));
        file = disk->log != NULL ? "file.file.image" : "file.image";
    }
    used = snprintf(drive, size,
                    "driver=raw,node-name=d%d,discard=unmap,read-only=%s%s,%s.driver=file,"
                    "%s.filename=%s",
                    number, disk->read_only ? "on" : "off", chain, file, file,
                    escape(&path, disk->path));
    /* Errors go to the machine, which is not to stand still for them. */
    snprintf(device, size,
             "virtio-blk-device,drive=d%d,logical_block_size=%d,physical_block_size=%d,"
             "rerror=report,werror=report",
             number, disk->block, disk->block);
    return (size_t)used < size ? 0 : -1;
}
