/* HARD(usual, rare): a size that takes its second value in a checked kernel (CHECK=1), so that a
 * rare path is the only one there. */
#ifndef AEGIS_KERNEL_CHECK_HARD_H
#define AEGIS_KERNEL_CHECK_HARD_H

#if CHECK
#define HARD(usual, rare) (rare)
#else
#define HARD(usual, rare) (usual)
#endif

#endif
