/*
 * Loads the program in section "xdp" of a BPF object and attaches it to an interface, in the driver
 * if that can (native), else in the stack (generic), and says which and where its code lies. A
 * static program of a page: the peer's initramfs has no libbpf. The object must need no relocation:
 * no maps, no calls between sections.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char verifier_log[65536];

/* The bytes of section xdp; NULL with a sentence on stderr. The build made the object: its headers
 * are sound. */
static const void *find_program(const char *path, size_t *size)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        perror(path);
        return NULL;
    }
    const char *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED) {
        perror(path);
        return NULL;
    }
    const Elf64_Ehdr *head = (const void *)file;
    const Elf64_Shdr *sections = (const void *)(file + head->e_shoff);
    const char *names = file + sections[head->e_shstrndx].sh_offset;
    for (int i = 0; i < head->e_shnum; i++) {
        if (strcmp(names + sections[i].sh_name, "xdp") == 0) {
            *size = sections[i].sh_size;
            return file + sections[i].sh_offset;
        }
    }
    fprintf(stderr, "xdp-load: %s has no section xdp\n", path);
    return NULL;
}

static int load(const void *program, size_t size)
{
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_XDP,
        .insns = (unsigned long)program,
        .insn_cnt = (unsigned)(size / sizeof(struct bpf_insn)),
        .license = (unsigned long)"GPL",
        .log_buf = (unsigned long)verifier_log,
        .log_size = sizeof(verifier_log),
        .log_level = 1,
    };
    int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
    if (fd < 0)
        fprintf(stderr, "xdp-load: the kernel refuses the program: %s\n%s", strerror(errno),
                verifier_log);
    return fd;
}

/*
 * Says where the machine code of a loaded program lies, for who counts its instructions from
 * outside; false with a sentence if the kernel interprets it.
 */
static bool print_code(int program)
{
    __u64 address = 0;
    __u32 length = 0;
    struct bpf_prog_info info = {.nr_jited_ksyms = 1,
                                 .jited_ksyms = (unsigned long)&address,
                                 .nr_jited_func_lens = 1,
                                 .jited_func_lens = (unsigned long)&length};
    union bpf_attr attr = {.info = {.bpf_fd = (unsigned)program,
                                    .info_len = sizeof(info),
                                    .info = (unsigned long)&info}};
    if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) < 0) {
        perror("xdp-load: BPF_OBJ_GET_INFO_BY_FD");
        return false;
    }
    if (!address || !length) {
        fprintf(stderr, "xdp-load: the program isn't compiled, or its address is hidden\n");
        return false;
    }
    printf("xdp-load: code at %llx, %u bytes\n", (unsigned long long)address, length);
    return true;
}

struct request {
    struct nlmsghdr head;
    struct ifinfomsg link;
    struct rtattr xdp;
    struct rtattr fd_head;
    int fd;
    struct rtattr flags_head;
    unsigned flags;
};

/* Sets the link's XDP program through rtnetlink(7); returns 0 or an errno. */
static int attach(int interface, int program, unsigned mode)
{
    struct request request = {
        .head = {sizeof(request), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
        .link = {.ifi_family = AF_UNSPEC, .ifi_index = interface},
        .xdp = {sizeof(request) - offsetof(struct request, xdp), NLA_F_NESTED | IFLA_XDP},
        .fd_head = {RTA_LENGTH(sizeof(int)), IFLA_XDP_FD},
        .fd = program,
        .flags_head = {RTA_LENGTH(sizeof(int)), IFLA_XDP_FLAGS},
        .flags = mode,
    };
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[512];
    } reply = {0};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
        recv(fd, &reply, sizeof(reply), 0) < 0)
        return errno;
    close(fd);
    return -reply.error.error;
}

int main(int argc, char **argv)
{
    size_t size;
    if (argc != 3) {
        fprintf(stderr, "usage: xdp-load INTERFACE OBJECT\n");
        return 2;
    }
    int interface = (int)if_nametoindex(argv[1]);
    if (!interface) {
        perror(argv[1]);
        return 1;
    }
    const void *program = find_program(argv[2], &size);
    int fd = program ? load(program, size) : -1;
    if (fd < 0 || !print_code(fd))
        return 1;
    int error = attach(interface, fd, XDP_FLAGS_DRV_MODE);
    if (error == 0) {
        printf("xdp-load: ready, native\n");
        return 0;
    }
    fprintf(stderr, "xdp-load: native mode refused: %s\n", strerror(error));
    error = attach(interface, fd, XDP_FLAGS_SKB_MODE);
    if (error == 0)
        printf("xdp-load: ready, generic\n");
    else
        fprintf(stderr, "xdp-load: generic mode refused: %s\n", strerror(error));
    return error != 0;
}
