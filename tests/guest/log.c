/*
 * The log takes any bytes and stays readable: each line says who wrote it, and no control character
 * passes. What has to stand there, tests/system compares; the lines are marked.
 */
#include <stdio.h>
#include <string.h>

#include "test.h"

int main(void)
{
    static const char control[] = "MARK bell \a back \b escape \033[31m red\033[0m return \r end";
    static const char forged[] = "MARK one\n[1 init] MARK forged\nMARK three";
    char longest[1024], many[256];

    CHECK_OK(aegis_log(control, sizeof control - 1));
    CHECK_OK(aegis_log(forged, sizeof forged - 1));
    CHECK_OK(aegis_log("MARK zero\0inside", 16));
    CHECK_OK(aegis_log("", 0));
    CHECK_OK(aegis_log(NULL, 0));
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "MARK long ", 10);
    CHECK_OK(aegis_log(longest, sizeof longest));
    CHECK_ERROR(aegis_log(longest, sizeof longest + 1), RANGE);
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = (char)i;
    CHECK_OK(aegis_log(many, sizeof many));
    printf("MARK part ");
    printf("and part\nMARK rest");
    return 0;
}
