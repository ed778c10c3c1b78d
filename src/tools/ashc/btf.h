/*
 * BTF, the type information of BPF objects (Linux, Documentation/bpf/btf.rst). Internal to ashlift.
 */
#ifndef ASHC_BTF_H
#define ASHC_BTF_H

#include "tools/ashc/object.h"

/* A view on sections .BTF and .BTF.ext; all zero if the object has none. */
struct btf {
    const uint8_t *types;
    uint32_t types_size;
    const char *strings;
    uint32_t strings_size;
    uint32_t *offsets; /* of each type in types, by its id; malloc'ed */
    uint32_t count;    /* ids are below this; 0 is void */
    const uint8_t *lines;
    uint32_t lines_size;
};

enum btf_kind {
    BTF_VOID,
    BTF_INT,
    BTF_PTR,
    BTF_ARRAY,
    BTF_STRUCT,
    BTF_UNION,
    BTF_ENUM,
    BTF_FWD,
    BTF_TYPEDEF,
    BTF_VOLATILE,
    BTF_CONST,
    BTF_RESTRICT,
    BTF_FUNC,
    BTF_FUNC_PROTO,
    BTF_VAR,
    BTF_DATASEC,
    BTF_FLOAT,
    BTF_DECL_TAG,
    BTF_TYPE_TAG,
    BTF_ENUM64,
    BTF_KINDS
};

struct btf_type {
    const char *name;
    enum btf_kind kind;
    uint32_t count;       /* members, or variables of a DATASEC */
    uint32_t size;        /* bytes of INT, STRUCT, UNION, ENUM */
    uint32_t type;        /* PTR, TYPEDEF, VAR and qualifiers: what they refer to */
    const uint8_t *extra; /* count members of 12 bytes, or what else belongs to the kind */
};

/* A member of a STRUCT, or a variable of a DATASEC. */
struct btf_member {
    const char *name; /* of a STRUCT only */
    uint32_t type;
    uint32_t offset; /* bits; of a STRUCT only */
};

/* Finds the sections. False with error set if they are broken. Free with btf_close. */
bool btf_open(struct btf *btf, const struct object *object, char *error);
void btf_close(struct btf *btf);

bool btf_type(const struct btf *btf, uint32_t id, struct btf_type *type);

/* The same without typedefs and qualifiers. */
bool btf_bare(const struct btf *btf, uint32_t id, struct btf_type *type);

bool btf_member(const struct btf *btf, const struct btf_type *type, uint32_t index,
                struct btf_member *member);

/* Bytes that a value of the type takes; false if it has no size, or one beyond 2^32. */
bool btf_size(const struct btf *btf, uint32_t id, uint32_t *size);

/* Elements of an ARRAY type. */
uint32_t btf_elements(const struct btf_type *array);

const char *btf_string(const struct btf *btf, uint32_t offset); /* null if there is none */

/* The place in the source of an instruction: its byte offset in a section. */
struct btf_line {
    uint32_t offset;
    const char *file;
    uint32_t line;
};

/* Calls visit for each line record of a section, in their order, as long as it returns true. */
void btf_lines(const struct btf *btf, const char *section,
               bool (*visit)(void *context, const struct btf_line *line), void *context);

#endif
