/*
 * What an image is put together from. Internal to ashlift.
 */
#ifndef ASHC_LINK_H
#define ASHC_LINK_H

#include "tools/ashc/btf.h"

/* A map of the image, and where the object has it. */
struct map {
    struct ash_map_info info;
    unsigned section; /* of the object */
    uint64_t offset;  /* of its definition in there; 0 for a section of variables */
    uint8_t *data;    /* initial contents, info.data_size bytes; malloc'ed */
};

/* A function of the object, copied to the image. */
struct function {
    unsigned section;
    uint64_t start, end; /* bytes in the section */
    uint32_t at;         /* its first instruction in the image */
};

struct link {
    struct object object;
    struct btf btf;
    char *error;
    struct map maps[ASH_MAPS_MAX];
    unsigned map_count;
    struct function functions[256];
    unsigned function_count;
    struct ash_insn *insns; /* ASH_INSNS_MAX */
    uint32_t insn_count;
    struct ash_line *lines; /* ASH_LINES_MAX */
    uint32_t line_count;
    char text[ASH_TEXT_MAX]; /* names of source files */
    uint32_t text_size;
    char name[ASH_NAME_SIZE];
};

/* Reads the map definitions of the object: those in .maps and in maps. */
bool link_maps(struct link *link);

/* The map that stands at an offset of a section; sections of variables become maps when they are
   first asked for. False with error set if there is none. */
bool link_find_map(struct link *link, unsigned section, uint64_t offset, const char *symbol,
                   unsigned *map);

/* Makes pointers in variables point to where in the sandbox they have to. */
bool link_pointers(struct link *link);

/* Copies the function that is asked for, and all that it calls, and fills in what they refer to.
   program: its name, or null. */
bool link_program(struct link *link, const char *program);

/* Collects the lines of the functions copied. */
bool link_lines(struct link *link);

#endif
