/* Included before ExOS's string functions, which then stand beside the host's, to be compared with
 * them. */
#include <string.h>
#define memcpy  exos_memcpy
#define memmove exos_memmove
#define memset  exos_memset
#define memcmp  exos_memcmp
#define memchr  exos_memchr
#define strlen  exos_strlen
#define strcmp  exos_strcmp
#define strchr  exos_strchr
#define strnlen exos_strnlen
#define strcpy  exos_strcpy
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *first, const void *second, size_t size);
void *memchr(const void *memory, int value, size_t size);
size_t strlen(const char *text);
int strcmp(const char *first, const char *second);
char *strchr(const char *text, int value);
size_t strnlen(const char *text, size_t most);
char *strcpy(char *restrict to, const char *restrict from);
