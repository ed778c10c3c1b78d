/* What a file that is no disk of ours looks like, by its first bytes: so that a mistake is told by
 * its name. */
#include <string.h>

#include "disk_image.h"

static const struct {
    size_t at;
    const char *bytes;
    size_t length;
    const char *what;
} magics[] = {
    {0, "QFI\xfb", 4, "a qcow2 image (qemu-img convert -O raw makes a raw one)"},
    {0, "\x1f\x8b", 2, "gzip data"},
    {0,
     "\xfd"
     "7zXZ",
     5, "xz data"},
    {0, "\x28\xb5\x2f\xfd", 4, "zstd data"},
    {0, "070701", 6, "a cpio archive"},
    {0,
     "\x7f"
     "ELF",
     4, "an ELF file"},
    {0, "hsqs", 4, "a squashfs file system"},
    {512, "EFI PART", 8, "a disk with a GUID partition table"},
    {4096, "EFI PART", 8, "a disk with a GUID partition table"},
    {1080, "\x53\xef", 2, "an ext2, ext3 or ext4 file system"},
    {510, "\x55\xaa", 2, "a disk with a boot sector"},
};

const char *disk_guess(const uint8_t headers[2][EXTENT_BLOCK])
{
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (memcmp((const uint8_t *)headers + magics[i].at, magics[i].bytes, magics[i].length) ==
            0) {
            return magics[i].what;
        }
    }
    return NULL;
}
