/* Pages and the tables that map them: what is missing is donated when the kernel says that it is.
 */
#include "libos/start/start.h"
#include "libos/vm/vm.h"

/* One table of a level: the table's page and the page of its reverse links. */
static int64_t donate(uint32_t env, uint64_t va, uint32_t level)
{
    int64_t table = aegis_page_alloc(AEGIS_ANY);
    if (table < 0)
        return table;
    int64_t links = aegis_page_alloc(AEGIS_ANY);
    int64_t status =
        links < 0 ? links : aegis_table_insert(env, va, level, (uint64_t)table, (uint64_t)links);
    if (status < 0) {
        aegis_page_free((uint64_t)table);
        if (links >= 0)
            aegis_page_free((uint64_t)links);
    }
    return status;
}

int64_t vm_map(uint32_t env, uint64_t va, uint64_t ppn, uint32_t prot,
               const struct aegis_cap *capability)
{
    int64_t status = aegis_map(env, va, ppn, prot, capability);
    if (status != -AEGIS_E_NO_TABLE)
        return status;
    int64_t donated = donate(env, va, 0);
    if (donated == -AEGIS_E_NO_TABLE) {
        donated = donate(env, va, 1);
        if (donated == 0)
            donated = donate(env, va, 0);
    }
    return donated < 0 ? donated : aegis_map(env, va, ppn, prot, capability);
}
