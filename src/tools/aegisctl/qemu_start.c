/* QEMU's arguments and its start. */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS   "ip=10.0.2.15/24,10.0.2.2" /* what QEMU's user network gives its first guest */
#define ARGV_MAX  128
#define TEXT_SIZE 32768

/* An argument vector that is built up in its own memory. */
struct argv {
    char *items[ARGV_MAX + 1];
    int count;
    char text[TEXT_SIZE];
    size_t used;
    bool full;
};

static void add(struct argv *argv, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct argv *argv, const char *format, ...)
{
    size_t room = sizeof argv->text - argv->used;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(argv->text + argv->used, room, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= room || argv->count == ARGV_MAX) {
        argv->full = true;
        return;
    }
    argv->items[argv->count++] = argv->text + argv->used;
    argv->used += (size_t)n + 1;
}

/* A path as the value of a QEMU option: its commas are doubled. */
static void escape(char *to, size_t size, const char *path, size_t length)
{
    size_t at = 0;

    for (size_t i = 0; i < length && at + 3 < size; i++) {
        to[at++] = path[i];
        if (path[i] == ',') {
            to[at++] = ',';
        }
    }
    to[at] = 0;
}

static void net_none(struct argv *argv, const struct machine *machine, const char *rest)
{
    (void)argv;
    (void)machine;
    (void)rest;
}

static void net_user(struct argv *argv, const struct machine *machine, const char *rest)
{
    char forwards[QEMU_FORWARDS_MAX * 48] = "";
    size_t used = 0;

    (void)rest;
    for (int i = 0; i < machine->forward_count; i++) {
        used += (size_t)snprintf(forwards + used, sizeof forwards - used,
                                 ",hostfwd=%s:127.0.0.1:%u-:%u",
                                 machine->forwards[i].tcp ? "tcp" : "udp",
                                 machine->forwards[i].host, machine->forwards[i].guest);
    }
    add(argv, "-netdev");
    add(argv, "user,id=n0%s", forwards);
}

static void net_dgram(struct argv *argv, const struct machine *machine, const char *rest)
{
    const char *comma = strchr(rest, ',');
    char local[256], remote[256];

    (void)machine;
    escape(local, sizeof local, rest, (size_t)(comma - rest));
    escape(remote, sizeof remote, comma + 1, strlen(comma + 1));
    add(argv, "-netdev");
    add(argv, "dgram,id=n0,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s", local,
        remote);
}

static void net_stream(struct argv *argv, const struct machine *machine, const char *rest)
{
    char path[256];

    (void)machine;
    escape(path, sizeof path, rest, strlen(rest));
    add(argv, "-netdev");
    add(argv, "stream,id=n0,server=off,addr.type=unix,addr.path=%s", path);
}

static const struct net {
    const char *prefix;
    int paths; /* UNIX socket paths behind it, separated by a comma */
    void (*add)(struct argv *argv, const struct machine *machine, const char *rest);
} nets[] = {
    {"none", 0, net_none},
    {"user", 0, net_user},
    {"dgram:", 2, net_dgram},
    {"stream:", 1, net_stream},
};

static const struct net *find_net(const char *text)
{
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        size_t length = strlen(nets[i].prefix);

        if (strncmp(text, nets[i].prefix, length) == 0 &&
            (nets[i].paths != 0 || text[length] == 0)) {
            return &nets[i];
        }
    }
    return NULL;
}

static bool is_path(const char *path, size_t length)
{
    return length > 0 && length < INSTANCE_PATH_MAX && path[length - 1] != '/';
}

int qemu_check_net(const char *text, struct why *why)
{
    const struct net *net = find_net(text);
    const char *rest, *comma;

    if (net == NULL) {
        return why_set(
            why, "\"%s\" is no network; user, none, dgram:LOCAL,REMOTE and stream:PATH are", text);
    }
    rest = text + strlen(net->prefix);
    comma = strchr(rest, ',');
    if (net->paths == 2 && (comma == NULL || !is_path(rest, (size_t)(comma - rest)) ||
                            !is_path(comma + 1, strlen(comma + 1)))) {
        return why_set(why,
                       "\"%s\" lacks two paths of UNIX sockets (each below %d bytes): "
                       "dgram:LOCAL,REMOTE",
                       text, INSTANCE_PATH_MAX);
    }
    if (net->paths == 1 && !is_path(rest, strlen(rest))) {
        return why_set(why, "\"%s\" lacks the path of a UNIX socket (below %d bytes): stream:PATH",
                       text, INSTANCE_PATH_MAX);
    }
    return 0;
}

static void add_boot(struct argv *argv, const struct machine *machine)
{
    const char *append = machine->append != NULL ? machine->append : "";
    bool own_address = strncmp(append, "ip=", 3) == 0 || strstr(append, " ip=") != NULL;

    add(argv, "-kernel");
    add(argv, "%s", machine->kernel);
    if (machine->initrd != NULL) {
        add(argv, "-initrd");
        add(argv, "%s", machine->initrd);
    }
    add(argv, "-append");
    add(argv, "%s%s%s", own_address ? "" : ADDRESS, own_address || append[0] == 0 ? "" : " ",
        append);
}

static void add_machine(struct argv *argv, const struct machine *machine, int ram)
{
    static const char *const fixed[] = {
        "qemu-system-riscv64",
        "-M",
        "virt,memory-backend=ram0",
        "-cpu",
        "rv64",
        "-nodefaults",
        "-no-reboot",
        "-display",
        "none",
        "-global",
        "virtio-mmio.force-legacy=false",
    };

    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        add(argv, "%s", fixed[i]);
    }
    add(argv, "-smp");
    add(argv, "%ld", machine->cpus);
    add(argv, "-m");
    add(argv, "%ldM", machine->memory);
    add(argv, "-object");
    add(argv, "memory-backend-file,id=ram0,size=%ldM,mem-path=/dev/fd/%d,share=on", machine->memory,
        ram);
}

static void add_disks(struct argv *argv, const struct machine *machine)
{
    static char drive[TEXT_SIZE / 2], device[TEXT_SIZE / 2];

    for (int i = 0; i < machine->disk_count; i++) {
        if (qemu_disk_arguments(&machine->disks[i], i, drive, device, sizeof drive) != 0) {
            argv->full = true;
            return;
        }
        add(argv, "-blockdev");
        add(argv, "%s", drive);
        add(argv, "-device");
        add(argv, "%s", device);
    }
}

static void add_devices(struct argv *argv, const struct machine *machine, int console, int monitor)
{
    const struct net *net = find_net(machine->net);

    add(argv, "-chardev");
    add(argv, "stdio,id=s0,signal=off");
    add(argv, "-serial");
    add(argv, "chardev:s0");
    add(argv, "-chardev");
    add(argv, "socket,id=m0,fd=%d", monitor);
    add(argv, "-mon");
    add(argv, "chardev=m0,mode=readline");
    net->add(argv, machine, machine->net + strlen(net->prefix));
    if (net->add != net_none) {
        add(argv, "-device");
        add(argv, "virtio-net-device,netdev=n0");
    }
    add_disks(argv, machine);
    add(argv, "-device");
    add(argv, "virtio-rng-device");
    add(argv, "-chardev");
    add(argv, "socket,id=c0,fd=%d", console);
    add(argv, "-device");
    add(argv, "virtio-serial-device,max_ports=1");
    add(argv, "-device");
    add(argv, "virtconsole,chardev=c0");
}

/* In the child: descriptors, signals, death with the parent, and QEMU. */
static void exec_qemu(struct argv *argv, const int keep[3], int serial, int log, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* the terminal's ^C is the broker's to handle */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(126);
    }
    for (int i = 0; i < 3; i++) {
        fcntl(keep[i], F_SETFD, 0);
    }
    dup2(null, 0);
    dup2(serial, 1);
    dup2(log, 2);
    execvp(argv->items[0], argv->items);
    dprintf(2, "%s: %s\n", argv->items[0], strerror(errno));
    _exit(127);
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

/* The machine's memory, as a file without a name: it goes with the last process that has it open.
 */
static int make_ram(const struct machine *machine, struct why *why)
{
    int fd = memfd_create("aegis-v", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)machine->memory << 20) != 0) {
        why_set(why, "cannot make the machine's memory: %s", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

int qemu_start(struct qemu *qemu, const struct machine *machine, const struct instance *instance,
               struct why *why)
{
    static struct argv argv;
    enum { SERIAL, SERIAL_IN, CONSOLE, CONSOLE_IN, MONITOR, MONITOR_IN, LOG, RAM, FDS };
    int fds[FDS] = {-1, -1, -1, -1, -1, -1, -1, -1};
    char path[INSTANCE_PATH_MAX];
    pid_t parent = getpid();

    instance_path(instance, "qemu.log", path);
    fds[LOG] = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fds[LOG] < 0 || pipe2(&fds[SERIAL], O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &fds[CONSOLE]) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &fds[MONITOR]) != 0) {
        why_set(why, "cannot set up QEMU's descriptors: %s", strerror(errno));
        close_all(fds, FDS);
        return -1;
    }
    fds[RAM] = make_ram(machine, why);
    if (fds[RAM] < 0) {
        close_all(fds, FDS);
        return -1;
    }
    argv = (struct argv){.count = 0};
    add_machine(&argv, machine, fds[RAM]);
    add_boot(&argv, machine);
    add_devices(&argv, machine, fds[CONSOLE_IN], fds[MONITOR_IN]);
    if (argv.full) {
        close_all(fds, FDS);
        return why_set(why,
                       "QEMU's arguments exceed %d bytes: shorten --append, or the names of disks",
                       TEXT_SIZE);
    }
    qemu->pid = fork();
    if (qemu->pid == 0) {
        exec_qemu(&argv, (const int[]){fds[CONSOLE_IN], fds[MONITOR_IN], fds[RAM]}, fds[SERIAL_IN],
                  fds[LOG], parent);
    }
    close_all((const int[]){fds[SERIAL_IN], fds[CONSOLE_IN], fds[MONITOR_IN], fds[LOG]}, 4);
    qemu->serial = fds[SERIAL];
    qemu->console = fds[CONSOLE];
    qemu->monitor = fds[MONITOR];
    qemu->ram = fds[RAM];
    if (qemu->pid < 0) {
        qemu->pid = 0;
        return why_set(why, "cannot start a process: %s", strerror(errno));
    }
    return 0;
}
