/* The least program: if this one fails, nothing else can be trusted. */
#include "test.h"

int main(int argc, char **argv)
{
    CHECK_EQ(argc, 1);
    CHECK(argv[0] && !argv[1]);
    CHECK(exos.start && exos.env && exos.parent == 1);
    return 0;
}
