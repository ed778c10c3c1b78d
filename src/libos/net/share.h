/*
 * Sockets that several processes have: after a fork, or handed to a program that was spawned. For
 * the files of sockets, not for programs.
 *
 * Such a socket belongs to one of them at a time, its holder, which alone has the frames and runs
 * its protocol. Whoever else uses it asks for it: the holder writes what there is, the state of a
 * connection, bytes under way, datagrams, into pages that all of them map, and lets go; the next
 * one goes on from there. A holder looks whether somebody has asked in each call on the socket and
 * whenever it waits.
 *
 * Whoever has the pages can write anything there: every word is read once, and bounded before it is
 * used; which port it is a process knows from its parent, not from there. What can be spoiled so is
 * the conversation, and those of the same port, which any of them could spoil by using the socket.
 */
#ifndef EXOS_NET_SHARE_H
#define EXOS_NET_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/socket.h"

#define SHARE_MEMBERS 32 /* processes that have one socket */

/* ---- for socket.c and socket_kind.c; exos_hold is held ---- */

/*
 * Before a socket of several processes is used: 0 once this one holds it. -EAGAIN if it mustn't
 * wait and another holds it; -EINTR; or why it is lost (-ENETDOWN, -ECONNRESET, what bind says).
 */
int share_hold(struct socket *s, bool may_wait);

/* Holds when another look for it is worth while. */
struct aegis_predicate share_when(const struct socket *s);

/* If another has asked for it: let go of it. Between calls alone. */
void share_offer(struct socket *s);

/* The last descriptor is closed. Returns whether the socket is done with; else it is kept until
 * somebody else has taken it, or nobody is left who could. */
bool share_close(struct socket *s);

/* fd_kind's functions, for sockets. */
int share_pass(struct fd_object *object, const struct exos_child *child, void *bytes, size_t most);
void share_undo_pass(struct fd_object *object, const struct exos_child *child);
int share_take(const void *bytes, size_t count, uint32_t flags, struct fd_object **object);
void share_forked(struct fd_object *object, const struct exos_child *child);
void share_in_child(struct socket *s);

/* What a wait of this process's looks at: gives away what is asked for. Returns when it has to
 * look again by itself, at most `until`. */
uint64_t share_look(uint64_t until);

#endif
