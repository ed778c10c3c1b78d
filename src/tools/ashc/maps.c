/*
 * Maps of an object: those that it defines, and its variables.
 */
#include "tools/ashc/link.h"

#include <stdlib.h>
#include <string.h>

/* linux/bpf.h: flags of maps that make a difference here, or none. */
#define BPF_F_RDONLY_PROG (1u << 7)
#define BPF_F_MMAPABLE    (1u << 10)

/* Names of the types, for messages. */
static const char *type_name(uint32_t type)
{
    static const char *const names[] = {
        "unspecified",     "hash",         "array",         "prog_array",   "perf_event_array",
        "percpu_hash",     "percpu_array", "stack_trace",   "cgroup_array", "lru_hash",
        "lru_percpu_hash", "lpm_trie",     "array_of_maps", "hash_of_maps", "devmap",
        "sockmap",         "cpumap",       "xskmap",
    };
    return type < sizeof names / sizeof *names ? names[type] : "another";
}

/* A name for the image: what is not printable, and what is too long, is left out. */
static void set_name(char to[ASH_NAME_SIZE], const char *from)
{
    size_t used = 0;
    memset(to, 0, ASH_NAME_SIZE);
    for (; *from && used < ASH_NAME_SIZE - 1; from++)
        if (*from > ' ' && *from <= '~')
            to[used++] = *from;
    if (!used)
        to[0] = '-';
}

static bool add_map(struct link *link, const struct map *map, unsigned *index)
{
    const struct ash_map_info *info = &map->info;
    const char *name = info->name;
    if (link->map_count == ASH_MAPS_MAX)
        return ashlift_fail(link->error, "map %s: a handler has at most %d maps", name,
                            ASH_MAPS_MAX);
    if (info->type != ASH_MAP_ARRAY && info->type != ASH_MAP_PERCPU_ARRAY)
        return ashlift_fail(link->error,
                            "map %s is of type %u (%s); a handler's maps are arrays (%d)", name,
                            info->type, type_name(info->type), ASH_MAP_ARRAY);
    if (info->key_size != 4)
        return ashlift_fail(link->error, "map %s has keys of %u bytes; an array's have 4", name,
                            info->key_size);
    if (info->entries == 0 || info->value_size == 0)
        return ashlift_fail(link->error,
                            "map %s has %u entries of %u bytes; give max_entries and value", name,
                            info->entries, info->value_size);
    if (info->value_size > ASH_MAP_MAX || info->entries > ASH_MAP_MAX / ash_map_stride(info))
        return ashlift_fail(link->error, "map %s is larger than %d MiB", name, ASH_MAP_MAX >> 20);
    *index = link->map_count;
    link->maps[link->map_count++] = *map;
    return true;
}

static bool set_flags(struct link *link, struct map *map, uint32_t flags)
{
    if (flags & ~(BPF_F_RDONLY_PROG | BPF_F_MMAPABLE))
        return ashlift_fail(link->error, "map %s has flags 0x%x, of which only 0x%x are known",
                            map->info.name, flags, BPF_F_RDONLY_PROG | BPF_F_MMAPABLE);
    map->info.flags = flags & BPF_F_RDONLY_PROG ? ASH_MAP_READ_ONLY : 0;
    return true;
}

/* What a member of a map's definition says: __uint is a pointer to an array of so many elements,
 * __type one to the type. */
static bool read_member(struct link *link, const struct btf_member *member, struct map *map)
{
    struct btf_type pointer, target;
    struct ash_map_info *info = &map->info;
    const char *name = member->name;
    uint32_t number = 0, size = 0;
    if (!btf_bare(&link->btf, member->type, &pointer) || pointer.kind != BTF_PTR)
        return ashlift_fail(link->error, "map %s: its member %s is not one of __uint or __type",
                            info->name, name);
    if (btf_bare(&link->btf, pointer.type, &target) && target.kind == BTF_ARRAY)
        number = btf_elements(&target);

    if (strcmp(name, "type") == 0)
        info->type = number;
    else if (strcmp(name, "max_entries") == 0)
        info->entries = number;
    else if (strcmp(name, "key_size") == 0)
        info->key_size = number;
    else if (strcmp(name, "value_size") == 0)
        info->value_size = number;
    else if (strcmp(name, "map_flags") == 0)
        return set_flags(link, map, number);
    else if (strcmp(name, "numa_node") == 0 || strcmp(name, "pinning") == 0)
        return true; /* there are neither nodes nor a file system to pin to */
    else if (strcmp(name, "key") != 0 && strcmp(name, "value") != 0)
        return ashlift_fail(link->error, "map %s has a member %s, which is not known here",
                            info->name, name);
    else if (!btf_size(&link->btf, pointer.type, &size))
        return ashlift_fail(link->error, "map %s: the type of its %s has no size", info->name,
                            name);
    else if (strcmp(name, "key") == 0)
        info->key_size = size;
    else
        info->value_size = size;
    return true;
}

/* Where a variable stands in its section: BTF leaves that to the symbols. */
static bool find_variable(struct link *link, unsigned section, const char *name, uint64_t *offset)
{
    for (size_t i = 0; i < object_symbol_count(&link->object); i++) {
        struct symbol symbol;
        if (!object_symbol(&link->object, i, &symbol))
            return false;
        if (symbol.section == section && strcmp(symbol.name, name) == 0) {
            *offset = symbol.value;
            return true;
        }
    }
    return ashlift_fail(link->error, "map %s has no symbol", name);
}

/* A variable of section .maps: its type is the definition. */
static bool read_definition(struct link *link, unsigned section, const struct btf_member *variable)
{
    struct btf_type v, definition;
    struct map map = {.section = section};
    unsigned index;
    if (!btf_type(&link->btf, variable->type, &v) || v.kind != BTF_VAR ||
        !btf_bare(&link->btf, v.type, &definition) || definition.kind != BTF_STRUCT)
        return ashlift_fail(link->error, "section .maps: BTF does not say what its variables are");
    if (!find_variable(link, section, v.name, &map.offset))
        return false;
    set_name(map.info.name, v.name);
    for (uint32_t i = 0; i < definition.count; i++) {
        struct btf_member member;
        if (!btf_member(&link->btf, &definition, i, &member))
            return ashlift_fail(link->error, "map %s: BTF has no name for its member %u",
                                map.info.name, i);
        if (!read_member(link, &member, &map))
            return false;
    }
    return add_map(link, &map, &index);
}

static bool read_definitions(struct link *link, unsigned section)
{
    struct btf_type t;
    for (uint32_t id = 1; id < link->btf.count; id++) {
        if (!btf_type(&link->btf, id, &t) || t.kind != BTF_DATASEC || strcmp(t.name, ".maps") != 0)
            continue;
        for (uint32_t i = 0; i < t.count; i++) {
            struct btf_member variable;
            if (!btf_member(&link->btf, &t, i, &variable))
                return ashlift_fail(link->error, "section .maps: BTF lacks its variable %u", i);
            if (!read_definition(link, section, &variable))
                return false;
        }
        return true;
    }
    return ashlift_fail(link->error,
                        "section .maps has no BTF that describes it; compile with clang -g or "
                        "bpf-gcc -gbtf");
}

/* Section maps, as it was before BTF: five numbers a map. */
static bool read_legacy(struct link *link, unsigned section)
{
    struct section s;
    if (!object_section(&link->object, section, &s))
        return false;
    for (size_t i = 0; i < object_symbol_count(&link->object); i++) {
        struct symbol symbol;
        uint32_t words[5]; /* type, key_size, value_size, max_entries, map_flags */
        unsigned index;
        if (!object_symbol(&link->object, i, &symbol))
            return false;
        if (symbol.section != section || symbol.type == STT_SECTION)
            continue;
        if (!s.bytes || symbol.value > s.size || s.size - symbol.value < sizeof words)
            return ashlift_fail(link->error, "map %s is cut off in section maps", symbol.name);
        memcpy(words, s.bytes + symbol.value, sizeof words);
        struct map map = {.section = section, .offset = symbol.value};
        set_name(map.info.name, symbol.name);
        map.info.type = words[0];
        map.info.key_size = words[1];
        map.info.value_size = words[2];
        map.info.entries = words[3];
        if (!set_flags(link, &map, words[4]) || !add_map(link, &map, &index))
            return false;
    }
    return true;
}

bool link_maps(struct link *link)
{
    unsigned modern = object_find(&link->object, ".maps");
    unsigned legacy = object_find(&link->object, "maps");
    return (!modern || read_definitions(link, modern)) && (!legacy || read_legacy(link, legacy));
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* A section of variables becomes a map of one entry. */
static bool add_variables(struct link *link, unsigned section, const struct section *s,
                          unsigned *index)
{
    struct map map = {.section = section};
    if (s->size > ASH_DATA_MAX)
        return ashlift_fail(link->error, "section %s is larger than %d KiB", s->name,
                            ASH_DATA_MAX >> 10);
    set_name(map.info.name, s->name);
    map.info.type = ASH_MAP_ARRAY;
    map.info.key_size = 4;
    map.info.value_size = s->size ? (uint32_t)s->size : 1;
    map.info.entries = 1;
    map.info.flags = ASH_MAP_GLOBAL | (begins(s->name, ".rodata") ? ASH_MAP_READ_ONLY : 0);
    if (s->bytes && s->size) {
        map.info.data_size = (uint32_t)s->size;
        map.data = malloc(s->size);
        if (!map.data)
            return ashlift_fail(link->error, "out of memory");
        memcpy(map.data, s->bytes, s->size);
    }
    if (add_map(link, &map, index))
        return true;
    free(map.data);
    return false;
}

bool link_find_map(struct link *link, unsigned section, uint64_t offset, const char *symbol,
                   unsigned *map)
{
    struct section s;
    if (section == 0)
        return ashlift_fail(link->error, "%s is not defined in the object", symbol);
    if (!object_section(&link->object, section, &s))
        return false;
    bool variables = begins(s.name, ".data") || begins(s.name, ".rodata") || begins(s.name, ".bss");
    for (unsigned i = 0; i < link->map_count; i++) {
        if (link->maps[i].section == section && (variables || link->maps[i].offset == offset)) {
            *map = i;
            return true;
        }
    }
    if (variables)
        return add_variables(link, section, &s, map);
    return ashlift_fail(link->error, "%s in section %s is neither a map nor a variable", symbol,
                        s.name);
}

/* One pointer in a map's initial contents. */
static bool link_pointer(struct link *link, unsigned map, const struct relocation *r)
{
    uint64_t value;
    unsigned target;
    const struct ash_map_info *info = &link->maps[map].info;
    if (r->type != R_BPF_64_ABS64 && r->type != R_BPF_DATA_64)
        return ashlift_fail(link->error,
                            "section %s: relocation of type %u, of which a handler has no use",
                            info->name, r->type);
    if (r->offset > info->data_size || info->data_size - r->offset < sizeof value)
        return ashlift_fail(link->error, "section %s: a relocation lies behind its end",
                            info->name);
    if (!link_find_map(link, r->symbol.section, r->symbol.value, r->symbol.name, &target))
        return false;
    uint8_t *at = link->maps[map].data + r->offset;
    memcpy(&value, at, sizeof value);
    value += ASH_BASE(ASH_REGION_MAP + target);
    if (link->maps[target].info.flags & ASH_MAP_GLOBAL)
        value += r->symbol.value;
    memcpy(at, &value, sizeof value);
    return true;
}

bool link_pointers(struct link *link)
{
    /* Pointers may lead to sections that become maps only now. */
    for (unsigned map = 0; map < link->map_count; map++) {
        if (!(link->maps[map].info.flags & ASH_MAP_GLOBAL))
            continue;
        unsigned section = link->maps[map].section;
        size_t count = object_relocation_count(&link->object, section);
        for (size_t i = 0; i < count; i++) {
            struct relocation r;
            if (!object_relocation_at(&link->object, section, i, &r) ||
                !link_pointer(link, map, &r))
                return false;
        }
    }
    return true;
}
