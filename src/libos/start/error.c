#include "libos/start/error.h"

#include <errno.h>
#include <stddef.h>

#include "abi/abi.h"

struct error {
    const char *name, *sentence, *remedy;
};

static const struct error errors[] = {
#define AEGIS_ERROR(name, value, sentence, remedy) [value] = {#name, sentence, remedy},
#include "abi/errors.def"
#undef AEGIS_ERROR
};

static const struct error success = {"OK", "no error", "go on"};
static const struct error unknown = {"?", "an error that this library doesn't know",
                                     "build the program and the kernel from the same sources"};

static const struct error *lookup(int64_t result)
{
    if (result >= 0)
        return &success;
    uint64_t value = -(uint64_t)result;
    return value < sizeof errors / sizeof *errors && errors[value].name ? &errors[value] : &unknown;
}

const char *aegis_error_name(int64_t result)
{
    return lookup(result)->name;
}

const char *aegis_strerror(int64_t result)
{
    return lookup(result)->sentence;
}

const char *aegis_remedy(int64_t result)
{
    return lookup(result)->remedy;
}

int aegis_errno(int64_t result)
{
    static const uint8_t numbers[] = {
        [AEGIS_E_NO_CALL] = ENOSYS,    [AEGIS_E_ADDRESS] = EFAULT, [AEGIS_E_OWNER] = EPERM,
        [AEGIS_E_CAPABILITY] = EACCES, [AEGIS_E_RIGHTS] = EACCES,  [AEGIS_E_NO_PAGE] = ENOMEM,
        [AEGIS_E_NO_TABLE] = ENOMEM,   [AEGIS_E_NO_SLOT] = EAGAIN, [AEGIS_E_NO_SPACE] = ENOSPC,
        [AEGIS_E_NO_DEVICE] = ENODEV,  [AEGIS_E_IN_USE] = EBUSY,   [AEGIS_E_PINNED] = EBUSY,
        [AEGIS_E_FULL] = EAGAIN,       [AEGIS_E_RANGE] = EINVAL,
    };
    if (result >= 0)
        return 0;
    uint64_t value = -(uint64_t)result;
    return value < sizeof numbers && numbers[value] ? numbers[value] : EINVAL;
}
