/* The commands, one a file of the same name. */
#ifndef AEGISCTL_COMMANDS_H
#define AEGISCTL_COMMANDS_H

#include "options.h"

extern const struct command command_run, command_load, command_unload, command_list, command_rtt,
    command_maps, command_capture, command_status, command_log, command_stop, command_post,
    command_symbols, command_start, command_disk, command_console;

#endif
