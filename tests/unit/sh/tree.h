/* A shell's tree as text, for tests: each list item ends in ; or &, compound parts stand in braces.
 */
#ifndef TESTS_SH_TREE_H
#define TESTS_SH_TREE_H

#include "parse.h"

/* NULL prints as "". What doesn't fit is cut. */
void tree_print(const struct sh_node *tree, char *to, size_t size);

#endif
