#include "kernel/print.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernel/rv64/sbi.h"

static void (*put_char)(char c) = sbi_console_put;

void (*print_to_swap(void (*put)(char c)))(char c)
{
    void (*before)(char c) = put_char;

    put_char = put;
    return before;
}

void print_bytes(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n')
            put_char('\r');
        put_char(bytes[i]);
    }
}

static void print_padded(const char *text, size_t length, size_t width, char fill)
{
    for (; width > length; width--)
        print_bytes(&fill, 1);
    print_bytes(text, length);
}

static void print_number(uint64_t value, unsigned int base, bool negative, size_t width, char fill)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        digits[--at] = '-';
    print_padded(digits + at, sizeof(digits) - at, width, fill);
}

/* One conversion; returns the address of its last character. */
static const char *print_conversion(const char *f, va_list *arguments)
{
    char fill = ' ';
    size_t width = 0;
    bool is_long = false;

    if (*f == '0')
        fill = *f++;
    for (; *f >= '0' && *f <= '9'; f++)
        width = width * 10 + (size_t)(*f - '0');
    for (; *f == 'l' || *f == 'z'; f++)
        is_long = true;

    switch (*f) {
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        print_padded(text, strlen(text), width, ' ');
        break;
    }
    case 'c': {
        char c = (char)va_arg(*arguments, int);
        print_bytes(&c, 1);
        break;
    }
    case 'd': {
        int64_t value = is_long ? va_arg(*arguments, int64_t) : va_arg(*arguments, int);
        print_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, width, fill);
        break;
    }
    case 'u':
    case 'x': {
        uint64_t value = is_long ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned int);
        print_number(value, *f == 'u' ? 10 : 16, false, width, fill);
        break;
    }
    case 'p':
        print_bytes("0x", 2);
        print_number((uintptr_t)va_arg(*arguments, void *), 16, false, 16, '0');
        break;
    default:
        print_bytes(f, 1);
        break;
    }
    return f;
}

void vprint(const char *format, va_list arguments)
{
    va_list copy;

    va_copy(copy, arguments);
    for (const char *f = format; *f; f++) {
        if (*f != '%')
            print_bytes(f, 1);
        else
            f = print_conversion(f + 1, &copy);
    }
    va_end(copy);
}

void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprint(format, arguments);
    va_end(arguments);
}
