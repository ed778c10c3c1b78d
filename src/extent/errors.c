#include "extent/extent.h"

const char *extent_strerror(int error)
{
    switch (-error) {
#define EXTENT_ERROR(name, value, sentence)                                                        \
    case EXTENT_E_##name:                                                                          \
        return sentence;
#include "extent/errors.def"
#undef EXTENT_ERROR
    }
    return "no error of the extent table";
}

const char *extent_error_name(int error)
{
    switch (-error) {
#define EXTENT_ERROR(name, value, sentence)                                                        \
    case EXTENT_E_##name:                                                                          \
        return #name;
#include "extent/errors.def"
#undef EXTENT_ERROR
    }
    return "NONE";
}
