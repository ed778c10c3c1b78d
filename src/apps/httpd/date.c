#include "httpd/date.h"

#include <stdbool.h>
#include <string.h>

#define DAY       86400
#define MEAN_YEAR 31556952 /* s, of the Gregorian calendar */

static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char *const long_days[] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                        "Monday",   "Tuesday", "Wednesday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* A moment in parts; month 0 to 11. */
struct parts {
    int year, month, day, hour, minute, second;
};

/* Days from 1970-01-01, of the Gregorian calendar: years begin in March, so that the day that
 * leaps is their last. */
static int64_t days_of(int year, int month, int day)
{
    int y = year - (month < 2);
    int m = (month + 10) % 12; /* from March on */
    return 365L * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* The last two digits of a number. */
static void put_two(char *to, unsigned number)
{
    to[0] = (char)('0' + number / 10 % 10);
    to[1] = (char)('0' + number % 10);
}

void http_date_write(int64_t seconds, char text[HTTP_DATE_SIZE])
{
    int64_t day = seconds / DAY;
    unsigned rest = (unsigned)(seconds % DAY);
    int year = (int)(1970 + day / 366);
    while (day >= days_of(year + 1, 0, 1))
        year++;
    int month = (int)(day - days_of(year, 0, 1)) / 32; /* or the next one */
    if (month < 11 && day >= days_of(year, month + 1, 1))
        month++;
    memcpy(text, "Day, 00 Mon 0000 00:00:00 GMT", HTTP_DATE_SIZE);
    memcpy(text, days[day % 7], 3);
    put_two(text + 5, (unsigned)(day - days_of(year, month, 1)) + 1);
    memcpy(text + 8, months[month], 3);
    put_two(text + 12, (unsigned)year / 100);
    put_two(text + 14, (unsigned)year);
    put_two(text + 17, rest / 3600);
    put_two(text + 20, rest / 60 % 60);
    put_two(text + 23, rest % 60);
}

/* One of count words at the beginning of *text, which moves behind it; or -1. */
static int take_word(const char **text, const char *const *words, int count)
{
    for (int i = 0; i < count; i++) {
        size_t size = strlen(words[i]);
        if (!strncmp(*text, words[i], size)) {
            *text += size;
            return i;
        }
    }
    return -1;
}

/*
 * Reads text by a pattern: 'D' a day's name, 'L' a long one, 'N' a month's, digits as many as the
 * letter is repeated: y, d, h, m, s; 'e' a day of two characters, the first a blank or digit;
 * others stand for themselves.
 */
static bool match(const char *text, const char *pattern, struct parts *p)
{
    int *const numbers[128] = {['y'] = &p->year, ['d'] = &p->day,    ['e'] = &p->day,
                               ['h'] = &p->hour, ['m'] = &p->minute, ['s'] = &p->second};

    for (; *pattern; pattern++) {
        int *number = numbers[(unsigned char)*pattern];
        if (*pattern == 'D' || *pattern == 'L') {
            if (take_word(&text, *pattern == 'D' ? days : long_days, 7) < 0)
                return false;
        } else if (*pattern == 'N') {
            p->month = take_word(&text, months, 12);
            if (p->month < 0)
                return false;
        } else if (number && *pattern == 'e' && *text == ' ') {
            text++;
        } else if (number) {
            if (*text < '0' || *text > '9')
                return false;
            *number = *number * 10 + *text++ - '0';
        } else if (*text++ != *pattern) {
            return false;
        }
    }
    return !*text;
}

static bool is_valid(const struct parts *p)
{
    int next = p->month == 11
                   ? 31
                   : (int)(days_of(p->year, p->month + 1, 1) - days_of(p->year, p->month, 1));
    return p->year >= 1970 && p->day >= 1 && p->day <= next && p->hour < 24 && p->minute < 60 &&
           p->second <= 60;
}

int64_t http_date_read(const char *text, size_t size, int64_t now)
{
    static const char *const forms[] = {"D, dd N yyyy hh:mm:ss GMT", "L, dd-N-yy hh:mm:ss GMT",
                                        "D N ee hh:mm:ss yyyy"};
    char copy[64];

    if (size >= sizeof copy || memchr(text, 0, size))
        return -1;
    memcpy(copy, text, size);
    copy[size] = 0;
    for (int i = 0; i < 3; i++) {
        struct parts p = {0};
        if (!match(copy, forms[i], &p))
            continue;
        if (i == 1) {
            int year = (int)(1970 + now / MEAN_YEAR);
            p.year += year / 100 * 100;
            p.year += p.year > year + 50 ? -100 : p.year <= year - 50 ? 100 : 0;
        }
        if (!is_valid(&p))
            return -1;
        return days_of(p.year, p.month, p.day) * DAY + p.hour * 3600 + p.minute * 60 + p.second;
    }
    return -1;
}
