/*
 * From a file to an image.
 */
#include "tools/ashc/lift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ashlift_free(struct ashlift_image *image)
{
    free(image->bytes);
    *image = (struct ashlift_image){0};
}

static char *read_all(FILE *file, size_t *size, char *error)
{
    size_t room = 65536;
    char *text = malloc(room);
    *size = 0;
    while (text) {
        *size += fread(text + *size, 1, room - 1 - *size, file);
        if (*size < room - 1)
            break;
        room *= 2;
        char *more = room <= ASHLIFT_FILE_MAX ? realloc(text, room) : NULL;
        if (!more) {
            ashlift_fail(error, "larger than %d MiB", ASHLIFT_FILE_MAX >> 20);
            free(text);
            return NULL;
        }
        text = more;
    }
    if (!text) {
        ashlift_fail(error, "out of memory");
        return NULL;
    }
    if (ferror(file)) {
        ashlift_fail(error, "%s", strerror(errno));
        free(text);
        return NULL;
    }
    text[*size] = 0;
    return text;
}

char *ashlift_read(const char *path, size_t *size, char *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (!file) {
        ashlift_fail(error, "%s", strerror(errno));
        return NULL;
    }
    char *text = read_all(file, size, error);
    if (!is_stdin)
        fclose(file);
    return text;
}

static bool link_object(struct link *link, const char *program)
{
    return link_maps(link) && link_program(link, program) && link_pointers(link) &&
           link_lines(link);
}

static enum ashlift_status lift_object(const void *bytes, size_t size,
                                       const struct ashlift_options *options,
                                       struct ashlift_image *image, char *error)
{
    struct link *link = calloc(1, sizeof *link);
    bool done = false;
    if (!link) {
        ashlift_fail(error, "out of memory");
        return ASHLIFT_SYSTEM;
    }
    link->error = error;
    link->insns = calloc(ASH_INSNS_MAX, sizeof *link->insns);
    link->lines = calloc(ASH_LINES_MAX, sizeof *link->lines);
    if (!link->insns || !link->lines)
        ashlift_fail(error, "out of memory");
    else if (object_open(&link->object, bytes, size, error) &&
             btf_open(&link->btf, &link->object, error))
        done = link_object(link, options->program) && image_write(link, options->event, image);
    for (unsigned i = 0; i < link->map_count; i++)
        free(link->maps[i].data);
    btf_close(&link->btf);
    free(link->insns);
    free(link->lines);
    free(link);
    return done ? ASHLIFT_OK : ASHLIFT_REFUSED;
}

static enum ashlift_status lift_insns(const uint8_t *bytes, size_t size, const char *name,
                                      const struct ashlift_options *options,
                                      struct ashlift_image *image, char *error)
{
    if (size == 0 || size % sizeof(struct ash_insn) ||
        size / sizeof(struct ash_insn) > ASH_INSNS_MAX) {
        ashlift_fail(error, "%zu bytes are not 1 to %d instructions of 8", size, ASH_INSNS_MAX);
        return ASHLIFT_REFUSED;
    }
    struct link *link = calloc(1, sizeof *link);
    struct ash_insn *insns = malloc(size);
    bool done = false;
    if (link && insns) {
        memcpy(insns, bytes, size);
        link->error = error;
        link->insns = insns;
        link->insn_count = (uint32_t)(size / sizeof(struct ash_insn));
        snprintf(link->name, sizeof link->name, "%s", name);
        done = image_write(link, options->event, image);
    } else {
        ashlift_fail(error, "out of memory");
    }
    free(insns);
    free(link);
    return done ? ASHLIFT_OK : ASHLIFT_SYSTEM;
}

/* An image that was made before. */
static enum ashlift_status take_image(const void *bytes, size_t size,
                                      const struct ashlift_options *options,
                                      struct ashlift_image *image, char *error)
{
    struct ash_image view;
    image->bytes = malloc(size);
    image->size = size;
    if (!image->bytes) {
        ashlift_fail(error, "out of memory");
        return ASHLIFT_SYSTEM;
    }
    memcpy(image->bytes, bytes, size);
    int wrong = ash_image_open(image->bytes, size, &view);
    if (wrong) {
        ashlift_fail(error, "%s", ash_strerror(wrong));
        ashlift_free(image);
        return ASHLIFT_REFUSED;
    }
    ((struct ash_header *)image->bytes)->event = (uint16_t)options->event;
    return ASHLIFT_OK;
}

static bool begins_with(const void *bytes, size_t size, const void *magic, size_t length)
{
    return size >= length && memcmp(bytes, magic, length) == 0;
}

enum ashlift_status ashlift_bytes(const void *bytes, size_t size, const char *name,
                                  const struct ashlift_options *options,
                                  struct ashlift_image *image, char *error)
{
    const uint32_t magic = ASH_MAGIC;
    if (begins_with(bytes, size, "\177ELF", 4))
        return lift_object(bytes, size, options, image, error);
    if (begins_with(bytes, size, &magic, sizeof magic))
        return take_image(bytes, size, options, image, error);
    if (!is_hex(bytes, size)) {
        ashlift_fail(
            error,
            "this is neither an object, nor a handler image, nor instructions as hex digits");
        return ASHLIFT_REFUSED;
    }
    size_t count;
    uint8_t *decoded = from_hex(bytes, size, &count, error);
    if (!decoded)
        return ASHLIFT_REFUSED;
    enum ashlift_status status = begins_with(decoded, count, "\177ELF", 4)
                                     ? lift_object(decoded, count, options, image, error)
                                     : lift_insns(decoded, count, name, options, image, error);
    free(decoded);
    return status;
}

enum ashlift_status ashlift_file(const char *path, const struct ashlift_options *options,
                                 struct ashlift_image *image, char *error)
{
    size_t length = strlen(path), size = 0;
    enum ashlift_status status = ASHLIFT_SYSTEM;
    char *bytes = NULL;
    if (length > 2 && strcmp(path + length - 2, ".c") == 0) {
        status = clang_compile(path, options, &bytes, &size, error);
    } else {
        bytes = ashlift_read(path, &size, error);
        status = bytes ? ASHLIFT_OK : ASHLIFT_SYSTEM;
    }
    if (status == ASHLIFT_OK)
        status = ashlift_bytes(bytes, size, "program", options, image, error);
    free(bytes);
    return status;
}
