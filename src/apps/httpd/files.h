/* The files that are served: those of the initial RAM disk, which never change. */
#ifndef HTTPD_FILES_H
#define HTTPD_FILES_H

#include "httpd/response.h"

/*
 * Finds all files of a folder ("" for all), and makes a list of them for "/" if there is no
 * index.html. Returns how many, or -1 with errno.
 */
int files_begin(const char *folder);

/* The file of a path that begins with a slash, or NULL. */
const struct http_file *files_find(const char *path);

#endif
