#include "kernel/rv64/board.h"

#include <libfdt.h>
#include <string.h>

#include "kernel/phys.h"
#include "kernel/print.h"
#include "kernel/rv64/layout.h"

#define CELLS_MAX                2 /* #address-cells and #size-cells that a 64-bit machine needs */
#define PLIC_SUPERVISOR_EXTERNAL 9 /* interrupt number at a hart's controller */

/* Reads cells big-endian 32-bit cells as one number. */
static uint64_t cells_value(const fdt32_t *cell, int cells)
{
    uint64_t value = 0;

    for (int i = 0; i < cells; i++)
        value = value << 32 | fdt32_ld(cell + i);
    return value;
}

/* Entry number index of node's reg property, as it stands there; false if it hasn't that many. */
static bool read_entry(const void *fdt, int node, int index, uint64_t *start, uint64_t *size)
{
    int parent = fdt_parent_offset(fdt, node), length;
    int address_cells = fdt_address_cells(fdt, parent), size_cells = fdt_size_cells(fdt, parent);
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

    if (address_cells < 1 || address_cells > CELLS_MAX || size_cells < 1 || size_cells > CELLS_MAX)
        return false;
    int entry = address_cells + size_cells;
    if (!reg || length / (int)sizeof(*reg) < (index + 1) * entry)
        return false;
    reg += index * entry;
    *start = cells_value(reg, address_cells);
    *size = cells_value(reg + address_cells, size_cells);
    return true;
}

/* What of it lies in the physical map; empty if nothing does. */
static struct range clip(uint64_t start, uint64_t size)
{
    if (start >= PHYSMAP_SIZE)
        return (struct range){0, 0};
    return (struct range){start, size > PHYSMAP_SIZE - start ? PHYSMAP_SIZE : start + size};
}

/* A device's registers: the first entry, whole. */
static bool read_reg(const void *fdt, int node, struct range *range)
{
    uint64_t start, size;

    if (!read_entry(fdt, node, 0, &start, &size) || size == 0 || start >= PHYSMAP_SIZE ||
        size > PHYSMAP_SIZE - start)
        return false;
    *range = (struct range){start, start + size};
    return true;
}

/* A property that is a string, or begins with one; NULL if it is missing or doesn't end. */
static const char *read_string(const void *fdt, int node, const char *name)
{
    int length;
    const char *value = fdt_getprop(fdt, node, name, &length);

    return value && length > 0 && !value[length - 1] ? value : NULL;
}

/* A 32-bit property; otherwise if it is missing or has another size. */
static uint32_t read_u32(const void *fdt, int node, const char *name, uint32_t otherwise)
{
    int length;
    const fdt32_t *value = fdt_getprop(fdt, node, name, &length);

    return value && length == (int)sizeof(*value) ? fdt32_ld(value) : otherwise;
}

static bool is_enabled(const void *fdt, int node)
{
    const char *status = read_string(fdt, node, "status");

    if (!status)
        return !fdt_getprop(fdt, node, "status", NULL);
    return strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

/* Adds a range that isn't empty. */
static void add_range(struct range *ranges, size_t *count, const char *what, struct range range)
{
    if (range.start >= range.end)
        return;
    if (*count == BOARD_RANGES)
        refuse("device tree: more than %d ranges of %s", BOARD_RANGES, what);
    ranges[(*count)++] = range;
}

static struct range whole_pages(struct range range)
{
    return (struct range){(range.start + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1),
                          range.end & ~(uint64_t)(PAGE_SIZE - 1)};
}

static void read_memory(const void *fdt, struct board *board)
{
    uint64_t start, size;
    int node = -1;

    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7)) >= 0)
        for (int i = 0; read_entry(fdt, node, i, &start, &size); i++)
            add_range(board->memory, &board->memory_count, "memory",
                      whole_pages(clip(start, size)));
    if (!board->memory_count)
        refuse("device tree: no memory");
}

static void read_reserved(const void *fdt, struct board *board)
{
    int parent = fdt_path_offset(fdt, "/reserved-memory"), node;
    uint64_t start, size;

    for (int i = 0; i < fdt_num_mem_rsv(fdt); i++)
        if (fdt_get_mem_rsv(fdt, i, &start, &size) == 0)
            add_range(board->reserved, &board->reserved_count, "/memreserve/", clip(start, size));
    if (parent < 0)
        return;
    fdt_for_each_subnode(node, fdt, parent)
    {
        for (int i = 0; read_entry(fdt, node, i, &start, &size); i++)
            add_range(board->reserved, &board->reserved_count, "reserved memory",
                      clip(start, size));
    }
}

bool board_has(const struct board *board, const char *extension)
{
    size_t length = strlen(extension);

    /* Multi-letter extensions stand behind underscores (Unprivileged ISA, ISA extension naming). */
    for (const char *at = strchr(board->isa, '_'); at; at = strchr(at + 1, '_'))
        if (strncmp(at + 1, extension, length) == 0 && (at[1 + length] == '_' || !at[1 + length]))
            return true;
    return false;
}

static void read_harts(const void *fdt, struct board *board, uint64_t boot_hart,
                       uint32_t *interrupt_controller)
{
    int cpus = fdt_path_offset(fdt, "/cpus"), node, length;

    if (cpus < 0)
        refuse("device tree: no /cpus");
    board->timebase = read_u32(fdt, cpus, "timebase-frequency", 0);
    if (!board->timebase)
        refuse("device tree: no timebase-frequency in /cpus");
    fdt_for_each_subnode(node, fdt, cpus)
    {
        const char *type = read_string(fdt, node, "device_type");
        const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);
        if (!type || strcmp(type, "cpu") != 0 || !reg || length < 4 || !is_enabled(fdt, node))
            continue;
        uint64_t id = cells_value(reg, length / 4 > CELLS_MAX ? CELLS_MAX : length / 4);
        if (board->hart_count == BOARD_HARTS)
            refuse("device tree: more than %d harts", BOARD_HARTS);
        board->harts[board->hart_count++] = id;
        if (id != boot_hart)
            continue;
        board->isa = read_string(fdt, node, "riscv,isa");
        int controller = fdt_subnode_offset(fdt, node, "interrupt-controller");
        *interrupt_controller = controller < 0 ? 0 : fdt_get_phandle(fdt, controller);
    }
    if (!board->isa || strncmp(board->isa, "rv64", 4) != 0)
        refuse("device tree: no riscv,isa of rv64 for hart %lu", boot_hart);
    board->sstc = board_has(board, "sstc");
}

/* The PLIC numbers its contexts by the order of interrupts-extended (PLIC binding). */
static void read_plic(const void *fdt, struct board *board, uint32_t interrupt_controller)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "sifive,plic-1.0.0"), length;

    if (node < 0)
        node = fdt_node_offset_by_compatible(fdt, -1, "riscv,plic0");
    if (node < 0 || !read_reg(fdt, node, &board->plic))
        refuse("device tree: no interrupt controller sifive,plic-1.0.0");
    board->plic_sources = read_u32(fdt, node, "riscv,ndev", 0);
    const fdt32_t *extended = fdt_getprop(fdt, node, "interrupts-extended", &length);
    for (int i = 0; extended && i < length / 8; i++) {
        if (fdt32_ld(extended + 2 * i) == interrupt_controller &&
            fdt32_ld(extended + 2 * i + 1) == PLIC_SUPERVISOR_EXTERNAL) {
            board->plic_context = (uint32_t)i;
            return;
        }
    }
    refuse("device tree: the PLIC has no supervisor context for the boot hart");
}

static bool read_device(const void *fdt, int node, struct device *device)
{
    if (node < 0 || !is_enabled(fdt, node) || !read_reg(fdt, node, &device->registers))
        return false;
    device->irq = read_u32(fdt, node, "interrupts", 0);
    return true;
}

static void read_devices(const void *fdt, struct board *board)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "ns16550a");

    if (read_device(fdt, node, &board->uart))
        board->uart_shift = read_u32(fdt, node, "reg-shift", 0);
    read_device(fdt, fdt_node_offset_by_compatible(fdt, -1, "sifive,test1"), &board->test);
    read_device(fdt, fdt_node_offset_by_compatible(fdt, -1, "google,goldfish-rtc"), &board->rtc);
    for (node = -1; (node = fdt_node_offset_by_compatible(fdt, node, "virtio,mmio")) >= 0;)
        if (board->virtio_count < BOARD_VIRTIO &&
            read_device(fdt, node, &board->virtio[board->virtio_count]))
            board->virtio_count++;
}

static uint64_t read_address(const void *fdt, int node, const char *name)
{
    int length;
    const fdt32_t *value = fdt_getprop(fdt, node, name, &length);

    return value && (length == 4 || length == 8) ? cells_value(value, length / 4) : 0;
}

static void read_chosen(const void *fdt, struct board *board)
{
    int node = fdt_path_offset(fdt, "/chosen"), length;

    board->bootargs = "";
    if (node < 0)
        return;
    const char *bootargs = read_string(fdt, node, "bootargs");
    if (bootargs)
        board->bootargs = bootargs;
    board->initrd.start = read_address(fdt, node, "linux,initrd-start");
    board->initrd.end = read_address(fdt, node, "linux,initrd-end");
    board->rng_seed = fdt_getprop(fdt, node, "rng-seed", &length);
    board->rng_seed_size = board->rng_seed ? (size_t)length : 0;
}

void board_read(struct board *board, uint64_t tree, uint64_t boot_hart)
{
    const void *fdt = tree < PHYSMAP_SIZE && tree % 8 == 0 ? phys_to_virt(tree) : NULL;
    uint32_t interrupt_controller = 0;

    if (!fdt || fdt_check_header(fdt) != 0)
        refuse("no device tree at 0x%lx, where the firmware says that it is", tree);
    memset(board, 0, sizeof(*board));
    board->tree = (struct range){tree, tree + fdt_totalsize(fdt)};
    read_memory(fdt, board);
    read_reserved(fdt, board);
    read_harts(fdt, board, boot_hart, &interrupt_controller);
    read_plic(fdt, board, interrupt_controller);
    read_devices(fdt, board);
    read_chosen(fdt, board);
}

const char *board_argument(const struct board *board, const char *name, size_t *length)
{
    size_t name_length = strlen(name);

    for (const char *at = board->bootargs; *at;) {
        const char *end = at;
        while (*end && *end != ' ')
            end++;
        if (strncmp(at, name, name_length) == 0 && at[name_length] == '=') {
            *length = (size_t)(end - at) - name_length - 1;
            return at + name_length + 1;
        }
        for (at = end; *at == ' ';)
            at++;
    }
    return NULL;
}
