/*
 * What the kernel does inside, measured without the kernel around it: the very objects that
 * kernel.elf is linked from, called from a bare program under icount. Prints a line of JSON a row.
 */
#include "bench/bare/bare.h"
#include "bench/guest/measure.h"
#include "kernel/cap.h"
#include "kernel/page.h"
#include "siphash/siphash.h"

#define TIMES     100
#define PAGE_NAME 5 /* any page number will do */
#define RIGHTS    (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)

static const struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
static struct aegis_page one_page = {.generation = 7};

/* A capability for the one page, as cap_mint seals it. */
static struct aegis_cap mint(void)
{
    struct aegis_cap cap = {.name = AEGIS_CAP_NAME(AEGIS_KIND_PAGE, RIGHTS, PAGE_NAME),
                            .generation = one_page.generation};
    cap.mac = siphash_words(&key, cap.name, cap.generation);
    return cap;
}

static void print_row(const char *name, uint64_t total)
{
    sbi_puts("{\"group\": \"kernel\", \"row\": \"");
    sbi_puts(name);
    sbi_puts("\", \"value\": ");
    sbi_put_number(total / TIMES);
    sbi_puts(".");
    sbi_put_number(total % TIMES / 10); /* TIMES is 100 */
    sbi_put_number(total % 10);
    sbi_puts("}\n");
}

int main(void)
{
    struct aegis_cap good = mint(), forged = good;
    long result = 0, refused;
    forged.mac ^= 1;
    siphash_use_zbb(); /* QEMU's rv64 has it, and the kernel sees that in the device tree */
    cap_init(key);
    pages = &one_page;
    first_ppn = PAGE_NAME;
    uint64_t total =
        COUNT_LOOP(TIMES, result |= cap_check(&good, AEGIS_KIND_PAGE, PAGE_NAME, RIGHTS));
    refused = cap_check(&forged, AEGIS_KIND_PAGE, PAGE_NAME, RIGHTS);
    if (result != 0 || refused != -AEGIS_E_CAPABILITY) {
        sbi_puts("internals: cap_check errs\n");
        return 1;
    }
    print_row("cap_check", total);
    sbi_puts("internals: rows done\n");
    return 0;
}
