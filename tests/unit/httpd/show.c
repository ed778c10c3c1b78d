/*
 * Reads requests, each behind its length in decimal and a newline, from standard input, and prints
 * what httpd makes of each: a status, and of those that are well-formed method, path, whether the
 * connection stays, and body. For differential_test.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include "apps/httpd/request.h"

int main(void)
{
    size_t size;

    while (scanf("%zu", &size) == 1 && getchar() == '\n') {
        struct http_request r;
        char *head = malloc(size ? size : 1);
        if (!head || fread(head, 1, size, stdin) != size)
            return 1;
        int status = http_head_size(head, size, 0) == size ? http_read(head, size, &r) : -1;
        printf("%d", status);
        if (status == 0) {
            printf(" %d %d %lu ", r.method == HTTP_HEAD, r.keep_alive, (unsigned long)r.body);
            for (const char *at = r.path; *at; at++)
                printf("%02x", (unsigned char)*at);
        }
        putchar('\n');
        free(head);
    }
    return 0;
}
