/* Bodies of noise into the codec, as each record; what it accepts encodes again to something equal.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

union any {
    struct control_hello hello;
    struct control_load load;
    struct control_state state;
    struct control_binding_row row;
    struct control_error error;
    struct control_handler_row handler;
    struct control_unloaded unloaded;
    struct control_map_data map;
    struct control_console console;
    struct control_console_output output;
    uint8_t bytes[2048];
};

/* accepted -> encoded -> decoded -> encoded gives the same bytes twice. */
static void check_round_trip(enum control_record record, const union any *value)
{
    static uint8_t once[1 << 16], twice[1 << 16];
    static union any again;
    int n = control_encode(record, value, once, sizeof once), m;

    if (n < 0 || control_decode(record, once, (size_t)n, &again) != 0) {
        abort();
    }
    m = control_encode(record, &again, twice, sizeof twice);
    if (m != n || memcmp(once, twice, (size_t)n) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static union any value;

    for (int record = 0; record < CONTROL_RECORDS; record++) {
        size_t position = 0, before = 0;

        if (control_decode((enum control_record)record, input, size, &value) == 0) {
            check_round_trip((enum control_record)record, &value);
        }
        while (control_next_row((enum control_record)record, input, size, &position, &value) > 0) {
            if (position <= before || position > size) {
                abort();
            }
            before = position;
            check_round_trip((enum control_record)record, &value);
        }
    }
    return 0;
}
