/* aegisctl run: boot a machine, in the foreground or leaving a broker behind. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker.h"
#include "client.h"
#include "clock.h"
#include "commands.h"
#include "initrd.h"

/* The build's folder: $AEGIS_BUILD, or the one above the folder that this program lies in. */
static void build_folder(char *path, size_t size)
{
    const char *named = getenv("AEGIS_BUILD");
    ssize_t n;

    if (named != NULL && named[0] != 0) {
        snprintf(path, size, "%s", named);
        return;
    }
    n = readlink("/proc/self/exe", path, size - 1);
    path[n > 0 ? n : 0] = 0;
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');

        if (slash != NULL) {
            *slash = 0;
        }
    }
}

/* The file that an option names, or the build's. */
static int find_image(const char *named, const char *built, const char *option, const char **path,
                      struct why *why)
{
    static char found[2][PATH_MAX + 64];
    static int used;
    char folder[PATH_MAX];

    *path = named;
    if (named == NULL) {
        build_folder(folder, sizeof folder);
        snprintf(found[used], sizeof found[used], "%s/%s", folder, built);
        *path = found[used++];
    }
    if (access(*path, R_OK) != 0) {
        return why_set(why, "%s: %s; build it with ci/build, or name another with %s", *path,
                       strerror(errno), option);
    }
    return 0;
}

/* "HOST" or "HOST:GUEST", of UDP; or with "/tcp" behind it */
static int parse_forward(const struct command *command, const char *text, struct forward *forward)
{
    char *end;
    unsigned long host = strtoul(text, &end, 10), guest = 7;
    bool valid = end != text && host <= 65535;

    if (valid && *end == ':') {
        const char *second = end + 1;

        guest = strtoul(second, &end, 10);
        valid = end != second && guest >= 1 && guest <= 65535;
    }
    bool tcp = strcmp(end, "/tcp") == 0;
    if (!valid || (*end != 0 && !tcp) || text[0] == '-' || text[0] == '+') {
        return usage_error(command,
                           "--port is \"%s\", not HOST or HOST:GUEST with ports up to 65535 (HOST "
                           "0: a free one), and /tcp behind it if it isn't UDP's",
                           text);
    }
    *forward = (struct forward){(uint16_t)host, (uint16_t)guest, tcp};
    return 0;
}

/* Wait for the broker's word: 'R' or 'F' and a text. */
static int await_report(int fd, int64_t limit_ms)
{
    static char text[16384];
    int64_t deadline = clock_ms() + limit_ms;
    size_t fill = 0;

    while (fill < sizeof text - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, clock_left(deadline)) == 0 && clock_ms() >= deadline) {
            break;
        }
        n = read(fd, text + fill, sizeof text - 1 - fill);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            break;
        }
        fill += n > 0 ? (size_t)n : 0;
    }
    while (fill > 0 && text[fill - 1] == '\n') {
        text[--fill] = 0;
    }
    if (text[0] == 'R') {
        printf("%s\n", text + 1);
        return 0;
    }
    fprintf(stderr, "aegisctl: run: %s\n",
            text[0] == 'F' ? text + 1 : "the broker ended without a word, or is stuck");
    return 1;
}

/* In the grandchild: no terminal, complaints go to broker.log. It stays in its folder, from which
 * files and sockets may be named. */
static void leave_terminal(const struct instance *instance)
{
    char path[INSTANCE_PATH_MAX];
    int null = open("/dev/null", O_RDWR), log;

    instance_path(instance, "broker.log", path);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(null, 0);
    dup2(null, 1);
    dup2(log >= 0 ? log : null, 2);
}

/* Fork twice, so that the broker is nobody's child, and wait until it reports. */
static int run_detached(const struct instance *instance, struct machine *machine, long boot_ms)
{
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        perror("aegisctl: run: pipe");
        return 1;
    }
    fflush(NULL);
    child = fork();
    if (child == 0) {
        setsid();
        if (fork() != 0) {
            _exit(0);
        }
        leave_terminal(instance);
        close(ends[0]);
        _exit(broker_run(instance, machine, boot_ms, ends[1]));
    }
    close(ends[1]);
    if (child < 0) {
        perror("aegisctl: run: fork");
        return 1;
    }
    waitpid(child, NULL, 0);
    return await_report(ends[0], 3 * boot_ms + 40000);
}

/* All that can be checked before anything is started. */
static int prepare(struct machine *machine, struct instance *instance, const char *name,
                   struct why *why)
{
    if (find_image(machine->kernel, "guest/src/kernel/kernel.elf", "--kernel", &machine->kernel,
                   why) != 0 ||
        find_image(machine->initrd, "guest/initrd.cpio", "--initrd", &machine->initrd, why) != 0 ||
        initrd_check(machine->initrd, why) != 0 || qemu_check(why) != 0 ||
        instance_find(instance, name, why) != 0) {
        return -1;
    }
    for (int i = 0; i < machine->disk_count; i++) {
        if (qemu_check_disk(&machine->disks[i], why) != 0) {
            return why_in(why, "--disk");
        }
    }
    return instance_claim(instance, why);
}

_Static_assert(OPTION_LIST_MAX <= QEMU_DISKS_MAX, "--disk, as often as it may be given");

static int run(const struct command *command, int argc, char **argv)
{
    struct machine machine = {.net = "user", .memory = 128, .cpus = 1};
    struct option_list ports = {.count = 0}, disks = {.count = 0};
    const char *name = INSTANCE_DEFAULT;
    bool detach = false;
    long timeout = 60;
    const struct option_row rows[] = {
        {"detach", OPTION_FLAG, &detach, NULL, "return once the machine is up, and leave a broker",
         0, 0},
        {"kernel", OPTION_TEXT, &machine.kernel, "FILE", "kernel image (default: the build's)", 0,
         0},
        {"initrd", OPTION_TEXT, &machine.initrd, "FILE",
         "archive of programs (default: the build's)", 0, 0},
        {"memory", OPTION_NUMBER, &machine.memory, "MIB", "memory of the machine (default: 128)",
         16, 1 << 20},
        {"cpus", OPTION_NUMBER, &machine.cpus, "N", "harts (default: 1)", 1, 8},
        {"net", OPTION_TEXT, &machine.net, "NET",
         "user (default), none, dgram:LOCAL,REMOTE or stream:PATH", 0, 0},
        {"port", OPTION_LIST, &ports, "N[:GUEST][/tcp]",
         "forward UDP (or TCP) port N of 127.0.0.1 (0: a free one, the default) to GUEST (7)", 0,
         0},
        {"disk", OPTION_LIST, &disks, "FILE[,OPTION...]",
         "image of a disk, up to 8; options: readonly, block=512|4096 (bytes of a logical block), "
         "errors=FILE, log=FILE",
         0, 0},
        {"append", OPTION_TEXT, &machine.append, "BOOTARGS", "boot arguments beside ip=", 0, 0},
        {"timeout", OPTION_NUMBER, &timeout, "S",
         "limit for QEMU's monitor, for the banner, and for the agent (default: 60)", 1, 600},
        {"instance", OPTION_TEXT, &name, "NAME", "name of the machine (default: default)", 0, 0},
        {"name", OPTION_TEXT, &name, "NAME", "the same", 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct instance instance;
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (qemu_check_net(machine.net, &why) != 0) {
        return usage_error(command, "--net: %s", why.text);
    }
    if (ports.count != 0 && strcmp(machine.net, "user") != 0) {
        return usage_error(command, "--port needs --net user");
    }
    machine.forward_count = ports.count != 0 ? ports.count : 1;
    machine.forwards[0] = (struct forward){.guest = 7};
    for (int i = 0; i < ports.count; i++) {
        if (parse_forward(command, ports.values[i], &machine.forwards[i]) != 0) {
            return 2;
        }
    }
    machine.disk_count = disks.count;
    for (int i = 0; i < disks.count; i++) {
        /* The options are cut off the argument, which is this process's own. */
        if (qemu_parse_disk((char *)disks.values[i], &machine.disks[i], &why) != 0) {
            return usage_error(command, "--disk: %s", why.text);
        }
    }
    if (prepare(&machine, &instance, name, &why) != 0) {
        return why_print(&why, "run");
    }
    return detach ? run_detached(&instance, &machine, timeout * 1000)
                  : broker_run(&instance, &machine, timeout * 1000, -1);
}

const struct command command_run = {
    "run", "", 0, 0, "Boot a machine in QEMU and keep it until it ends.", run,
};
