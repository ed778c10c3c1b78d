/*
 * A product of matrices of 150 by 150 doubles, as the papers' is (SOSP 1995, section 6.1): what the
 * system takes for itself while a program computes.
 */
#include <stddef.h>
#include <stdlib.h>
#include "bench/guest/measure.h"

#define SIZE 150

typedef double matrix[SIZE][SIZE];

static void multiply(matrix *restrict c, matrix *restrict a, matrix *restrict b)
{
    for (size_t i = 0; i < SIZE; i++)
        for (size_t j = 0; j < SIZE; j++) {
            double sum = 0;
            for (size_t k = 0; k < SIZE; k++)
                sum += (*a)[i][k] * (*b)[k][j];
            (*c)[i][j] = sum;
        }
}

static void fill(matrix *m, unsigned seed)
{
    for (size_t i = 0; i < SIZE; i++)
        for (size_t j = 0; j < SIZE; j++)
            (*m)[i][j] = (double)((i * 7 + j * 3 + seed) % 11);
}

static uint64_t run_matmul(uint64_t n)
{
    static volatile double result;
    matrix *a = malloc(3 * sizeof *a), *b = a + 1, *c = a + 2;
    if (!a)
        exit(1);
    for (size_t i = 0; i < 3; i++) /* touched once before it counts, as static memory would be */
        fill(a + i, 0);
    uint64_t start = instructions();

    for (uint64_t i = 0; i < n; i++) {
        fill(a, 1);
        fill(b, 2);
        multiply(c, a, b);
        result = (*c)[SIZE - 1][SIZE - 1];
    }
    (void)result;
    uint64_t count = instructions() - start - READ_COST;
    free(a);
    return count;
}

const struct row matmul_rows[] = {{"vm", "matmul150", 1, run_matmul}, {NULL, NULL, 0, NULL}};
