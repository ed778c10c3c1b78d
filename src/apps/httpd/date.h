/* Dates of HTTP: RFC 9110, section 5.6.7. Pure: also on the host. */
#ifndef HTTPD_DATE_H
#define HTTPD_DATE_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_DATE_SIZE 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Seconds since 1970, of the years to 9999, as text. */
void http_date_write(int64_t seconds, char text[HTTP_DATE_SIZE]);

/*
 * The seconds that a date says, in any of its three forms; -1: it is none, or before 1970. Years of
 * two digits are the nearest to `now` that isn't more than 50 years ahead.
 */
int64_t http_date_read(const char *text, size_t size, int64_t now);

#endif
