/* matmul [SIZE]: multiplies two matrices of SIZE (150) by SIZE doubles, and says how long it took.
 */
#include <time.h>

#include "apps/program.h"

const char program_name[] = "matmul";
const char program_usage[] = "matmul [SIZE]  (1 to 1000)";

int main(int argc, char **argv)
{
    struct timespec begin, end;
    double sum = 0;

    take_help(argc, argv);
    long n = argc > 1 ? number(argv[1], 1, 1000) : 150;
    if (n < 0 || argc > 2)
        return usage();
    size_t size = (size_t)n;
    double *a = malloc(3 * size * size * sizeof *a), *b = a + size * size, *c = b + size * size;
    if (!a)
        return failed("the matrices");
    for (size_t i = 0; i < size * size; i++) {
        a[i] = (double)(i % 7);
        b[i] = (double)(i % 5);
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < size; i++)
        for (size_t j = 0; j < size; j++) {
            double dot = 0;
            for (size_t k = 0; k < size; k++)
                dot += a[i * size + k] * b[k * size + j];
            c[i * size + j] = dot;
        }
    clock_gettime(CLOCK_MONOTONIC, &end);
    for (size_t i = 0; i < size; i++)
        sum += c[i * size + i];
    printf("%ld x %ld: trace %.0f, %.3f ms\n", n, n, sum,
           (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6);
    free(a);
    return finish(0);
}
