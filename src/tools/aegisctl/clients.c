#include "clients.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void clients_init(struct clients *clients, clients_request *request, void *context)
{
    memset(clients, 0, sizeof *clients);
    clients->listener = -1;
    clients->request = request;
    clients->context = context;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        clients->slots[i].link.fd = -1;
    }
}

int clients_open(struct clients *clients, const struct instance *instance, struct why *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    instance_path(instance, "control", address.sun_path);
    clients->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (clients->listener < 0 ||
        bind(clients->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(clients->listener, 16) != 0) {
        return why_set(why, "cannot listen at %s: %s", address.sun_path, strerror(errno));
    }
    return 0;
}

static bool is_full(const struct clients *clients)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (clients->slots[i].link.fd < 0) {
            return false;
        }
    }
    return true;
}

int clients_poll(const struct clients *clients, struct pollfd fds[CLIENTS_FDS])
{
    int count = 0;

    if (clients->listener >= 0 && !is_full(clients)) { /* else they wait in the socket's queue */
        fds[count++] = (struct pollfd){.fd = clients->listener, .events = POLLIN};
    }
    for (int i = 0; i < CLIENTS_MAX; i++) {
        const struct link *link = &clients->slots[i].link;

        if (link->fd >= 0) {
            fds[count++] = (struct pollfd){
                .fd = link->fd,
                .events = (short)(POLLIN | (link_wants_write(link) ? POLLOUT : 0)),
            };
        }
    }
    return count;
}

static void accept_one(struct clients *clients)
{
    int fd = accept4(clients->listener, NULL, NULL, SOCK_CLOEXEC);
    struct why why;

    if (fd < 0) {
        return;
    }
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->slots[i];

        if (client->link.fd < 0) {
            client->serial = ++clients->next_serial;
            client->dead = false;
            link_open(&client->link, fd, &why);
            return;
        }
    }
    close(fd); /* clients_poll did not ask for one; the client says that the broker hung up */
}

struct asker {
    struct clients *clients;
    int slot;
};

static bool take_message(void *context, const struct control_message *message)
{
    const struct asker *asker = context;
    struct client *client = &asker->clients->slots[asker->slot];
    struct origin origin = {asker->slot, client->serial, message->id};

    if (message->body == NULL) {
        if (link_send_error(&client->link, message->id, CONTROL_E_TOO_BIG,
                            "broker: the message is too large") != 0) {
            client->dead = true;
        }
    } else {
        asker->clients->request(asker->clients->context, &origin, message);
    }
    return !client->dead;
}

static void serve_one(struct clients *clients, int slot, short events)
{
    struct client *client = &clients->slots[slot];
    struct asker asker = {clients, slot};

    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 &&
        link_read(&client->link, take_message, &asker) != 0) {
        client->dead = true;
    }
    if (!client->dead && link_write(&client->link) != 0) {
        client->dead = true;
    }
    if (client->dead) {
        link_close(&client->link);
    }
}

void clients_serve(struct clients *clients, const struct pollfd *fds, int count)
{
    for (int i = 0; i < count; i++) {
        if (fds[i].revents == 0) {
            continue;
        }
        if (fds[i].fd == clients->listener) {
            accept_one(clients);
            continue;
        }
        for (int slot = 0; slot < CLIENTS_MAX; slot++) {
            if (clients->slots[slot].link.fd == fds[i].fd) {
                serve_one(clients, slot, fds[i].revents);
                break;
            }
        }
    }
}

bool clients_present(const struct clients *clients, const struct origin *origin)
{
    const struct client *client;

    if (origin->slot < 0) {
        return false;
    }
    client = &clients->slots[origin->slot];
    return client->link.fd >= 0 && client->serial == origin->serial && !client->dead;
}

void clients_reply(struct clients *clients, const struct origin *origin, uint16_t type,
                   const uint8_t *body, uint32_t size)
{
    struct client *client;

    if (!clients_present(clients, origin)) {
        return;
    }
    client = &clients->slots[origin->slot];
    if (link_send(&client->link, type, origin->id, body, size) != 0) {
        client->dead = true;
    }
}

bool clients_busy(const struct clients *clients)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (clients->slots[i].link.fd >= 0 && link_wants_write(&clients->slots[i].link)) {
            return true;
        }
    }
    return false;
}

void clients_close(struct clients *clients)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        link_close(&clients->slots[i].link);
    }
    if (clients->listener >= 0) {
        close(clients->listener);
        clients->listener = -1;
    }
}
