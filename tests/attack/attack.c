#include "attack.h"

#include "libos/net/headers.h"
#include "libos/vm/vm.h"

const struct attack attacks[] = {
#define PAIR(call, error)       {#call "_" #error, ATTACK_PAIR, -AEGIS_E_##error, call##_##error},
#define PAIR_FIRST(call, error) {#call "_" #error, ATTACK_FIRST, -AEGIS_E_##error, call##_##error},
#define PAIR_BARE(call, error)  {#call "_" #error, ATTACK_BARE, -AEGIS_E_##error, call##_##error},
#define PAIR_HEAVY(call, error) {#call "_" #error, ATTACK_HEAVY, -AEGIS_E_##error, call##_##error},
#define PAIR_UNIT(call, error, test)
#define ATTACK(subject, name, error, text) {#name, ATTACK_RULE, -AEGIS_E_##error, name},
#define ATTACK_ENDED(subject, name, text)  {#name, ATTACK_RULE, ATTACK_ENDS, name},
#define HEAVY(subject, name, error, text)  {#name, ATTACK_HEAVY, -AEGIS_E_##error, name},
#define ATTACK_TEST(subject, file, test)
#define ALSO(subject, name)
#include "INDEX"
#undef PAIR
#undef PAIR_FIRST
#undef PAIR_BARE
#undef PAIR_HEAVY
#undef PAIR_UNIT
#undef ATTACK
#undef ATTACK_ENDED
#undef HEAVY
#undef ATTACK_TEST
#undef ALSO
};
const size_t attack_count = sizeof attacks / sizeof *attacks;

const uint64_t bad_addresses[] = {
    0,                  /* null */
    8,                  /* near it */
    0x7000,             /* unmapped */
    FREE_VA,            /* unmapped */
    0x3fc0000000,       /* one's own page tables, reserved */
    AEGIS_USER_END - 8, /* the last word */
    AEGIS_USER_END,     /* behind it */
    1UL << 47,          /* no canonical address */
    0xffffffc080000000, /* the physical map */
    0xffffffff80200000, /* the kernel's text */
    0xfffffff800001000, /* its stack */
    INT64_MAX & ~7UL,
    UINT64_MAX & ~7UL, /* sums wrap */
};
const size_t bad_address_count = sizeof bad_addresses / sizeof *bad_addresses;

static uint64_t find_page(uint32_t owner, enum aegis_page_state state)
{
    const volatile struct aegis_info *info = aegis_info();
    for (uint64_t i = 0; i < info->page_count; i++) {
        const volatile struct aegis_page *page = aegis_page(info->first_ppn + i);
        if (page->state == state && (!owner || page->owner == owner))
            return info->first_ppn + i;
    }
    FAIL("no page in state %d", (int)state);
}

uint64_t page_of_victim(enum aegis_page_state state)
{
    return find_page(VICTIM, state);
}

uint64_t page_in_state(enum aegis_page_state state)
{
    return find_page(0, state);
}

uint64_t page_at(uint64_t va, uint32_t prot)
{
    uint64_t page = test_page();
    CHECK_OK(vm_map(0, va, page, prot, NULL));
    return page;
}

void page_gone(uint64_t va, uint64_t ppn)
{
    CHECK_OK(aegis_unmap(0, va, 1));
    CHECK_OK(aegis_page_free(ppn));
}

void filter_sent_udp(struct filter_image *image, uint32_t netif, uint16_t port)
{
    const volatile uint8_t *mac = aegis_info()->netifs[netif].mac;
    uint64_t high = (uint64_t)mac[0] << 8 | mac[1];
    uint64_t low = (uint64_t)mac[2] << 24 | (uint64_t)mac[3] << 16 | (uint64_t)mac[4] << 8 | mac[5];
    const struct filter_field fields[] = {
        {2, ETH_SOURCE, 0xffff, high, high},
        {4, ETH_SOURCE + 2, 0xffffffff, low, low},
        {2, ETH_TYPE, 0xffff, ETH_TYPE_IPV4, ETH_TYPE_IPV4},
        {1, IPV4_FIRST, 0xff, NET_IPV4_PLAIN, NET_IPV4_PLAIN},
        {1, IPV4_PROTOCOL, 0xff, IPV4_UDP, IPV4_UDP},
        {2, ETH_SIZE + IPV4_LEAST + UDP_SOURCE, 0xffff, port, port},
    };
    filter_make(image, fields, sizeof fields / sizeof *fields);
}

uint32_t child_make(void)
{
    static const char name[AEGIS_NAME_SIZE] = "child";
    int64_t env = aegis_env_create(test_page(), test_page(), name);
    if (env < 0)
        FAIL("env_create: %s", aegis_error_name(env));
    return (uint32_t)env;
}

void child_end(uint32_t env)
{
    struct aegis_predicate ended = aegis_when_ended(env);
    aegis_env_end(env, 0);
    CHECK_EQ(aegis_wait(&ended, 1, AEGIS_FOREVER), 0);
    CHECK_OK(aegis_env_free(env));
}
