/*
 * The application's packet ring (design section 5; src/kernel/ring.c, src/libos/net/net.h): every frame that is put is
 * read once, whole, in order; a full ring drops and counts; whatever the owner writes to its index, the kernel stays
 * inside the ring and its own index counts what it has put.
 *
 * The kernel and the owner run on two harts, whose memory is as weak as RVWMO allows: stores wait in a buffer and
 * become visible in any order but that of fences and of one place; the owner's load of a slot may run ahead of its load
 * of head unless that acquires, and behind its store of tail unless that releases. The kernel's stores to a slot stay
 * behind its load of tail: they depend on the branch (RVWMO, rule 11). Indices of 64 bits are of 3 here, so that they
 * wrap, and begin anywhere; a frame's two words hold its number.
 *
 * VARIANT SCRIBBLES: the owner doesn't read, but writes any value to tail at any time
 *
 * MUTATION INDEX_BEFORE_SLOT "assertion violated is_whole": head is stored before the slot, with no fence between
 * MUTATION NO_FENCE "assertion violated is_whole": there is no fence between the slot and head
 * MUTATION NO_ACQUIRE "assertion violated is_whole": the owner's load of head doesn't acquire
 * MUTATION NO_RELEASE "assertion violated is_whole": the owner's store of tail doesn't release
 * MUTATION ONE_TOO_MANY "assertion violated is_whole": the ring takes one frame more than it has slots
 * MUTATION SIGNED_ROOM "assertion violated is_whole": the room is compared as if indices didn't wrap
 * MUTATION NO_DROP_COUNT "assertion violated .dropped==refused": a frame that finds no room isn't counted
 * MUTATION TRUSTS_HEAD "assertion violated .head==": the kernel reads its index back from the owner's page
 * MUTATION NO_MASK "assertion violated .number<": the slot's number isn't masked
 */
#ifdef TRUSTS_HEAD
#define SCRIBBLES
#endif
#define SLOTS   2
#define MASK    (SLOTS - 1)
#define WRAP(n) ((n) & 7)
#define NONE    15

typedef stored {
    bool waits;
    byte value, at
};

/* Memory as both see it, and the kernel's stores that aren't there yet, one a place. */
byte slot_first[SLOTS] = NONE, slot_last[SLOTS] = NONE, shared_head, shared_tail;
stored first, last, index;
bool tail_waits;
byte tail_value;

byte head; /* the kernel's own: binding->head */
byte dropped;

byte start, put, attempts, refused; /* ghosts: where both began, what the kernel did */
bool has_begun;
#ifdef SCRIBBLES
#define ATTEMPTS 3
#else
#define ATTEMPTS 4
#endif

/* Stores become visible when they like. */
active proctype memory()
{
end:
    do
    :: atomic { first.waits -> slot_first[first.at] = first.value; first.waits = false; first.value = 0; first.at = 0 }
    :: atomic { last.waits -> slot_last[last.at] = last.value; last.waits = false; last.value = 0; last.at = 0 }
    :: atomic { index.waits -> shared_head = index.value; index.waits = false; index.value = 0 }
    :: atomic { tail_waits -> shared_tail = tail_value; tail_waits = false; tail_value = 0 }
    od
}

inline store_index()
{
    atomic {
        !index.waits -> index.value = WRAP(head + 1); index.waits = true
    }
}

/*= src/kernel/ring.c ring_put_received :: slot|copy|return */
/*: if (!copy_can(bytes, length)) return put_any(binding, index, bytes, length, flags) */
/*: uint8_t *slot = next_slot(binding) */ /*: if (!slot) return false */
/*: copy_frame(slot + AEGIS_SLOT_FRAME, bytes, length) */
/*: struct aegis_slot_header header = */ /*: *(struct aegis_slot_header *)slot = header */
/*: show_slot(binding, &header) */ /*: return true */
active proctype kernel()
{
    byte number, seen_tail;
    bool is_full;

    has_begun;
    do
    :: attempts < ATTEMPTS ->
        attempts++;
/*= src/kernel/ring.c next_slot :: head|tail|dropped|slot */
        seen_tail = shared_tail; /*: if (binding->head - ring->tail > binding->slot_mask) */
#ifdef TRUSTS_HEAD
        !index.waits;
        head = shared_head;
#endif
#ifdef ONE_TOO_MANY
        is_full = WRAP(head - seen_tail) > SLOTS;
#elif defined(SIGNED_ROOM)
        is_full = head >= seen_tail + SLOTS;
#else
        is_full = WRAP(head - seen_tail) > MASK;
#endif
        if
        :: is_full ->
            refused++;
#ifndef NO_DROP_COUNT
            dropped++            /*: ring->dropped++ */
#endif
        :: else ->
#ifdef NO_MASK
            number = head;
#else
            number = head & MASK; /*: uint64_t number = binding->head & binding->slot_mask */
#endif
                                  /*: uint8_t *slot = page + number % SLOTS_A_PAGE * AEGIS_SLOT_SIZE */
                                  /*: if (!slot) __builtin_unreachable() */ /*: return slot */
            assert(number < SLOTS);
/*= src/kernel/ring.c ring_put :: slot|memcpy|return */
            /*: uint8_t *slot = next_slot(binding) */ /*: if (!slot) return false */
#ifdef INDEX_BEFORE_SLOT
            store_index();
#endif
            atomic {              /*: memcpy(slot + at, frame->pieces[i].bytes, frame->pieces[i].length) */
                !last.waits -> last.at = number; last.value = head; last.waits = true
            }
            atomic {              /*: struct aegis_slot_header header = */ /*: *(struct aegis_slot_header *)slot = header */
                !first.waits -> first.at = number; first.value = head; first.waits = true
            }
            /*: show_slot(binding, &header) */ /*: return true */
/*= src/kernel/ring.c show_slot :: fence|ring->head */
#ifndef INDEX_BEFORE_SLOT
#ifndef NO_FENCE
            !first.waits && !last.waits; /*: fence(w, w) */
#endif
            store_index();        /*: binding->ring->head = ++binding->head */
#endif
            head = WRAP(head + 1);
            put++
        fi;
        assert(dropped == refused);
        assert(head == WRAP(start + put))
    :: else -> break
    od
}

byte tail; /* the owner's own: net->tail */
#ifdef SCRIBBLES
active proctype owner()
{
    byte n;

    has_begun;
    do
    :: atomic { !tail_waits -> select (n : 0 .. 7); tail_value = n; n = 0; tail_waits = true }
#ifdef TRUSTS_HEAD
    :: atomic { select (n : 0 .. 7); shared_head = n; n = 0 }
#endif
    :: break
    od
}
#else

/*= src/libos/net/net.h net_head :: . */
/*: return __atomic_load_n(&net->ring->head, __ATOMIC_ACQUIRE) */
active proctype owner()
{
    byte seen_first, seen_last;
    bool ran_ahead, is_whole;

    has_begun;
    tail = start;
/*= src/libos/net/net.h net_next :: . */
    do
    :: true;
#ifdef NO_ACQUIRE
        ran_ahead = false;
        if
        :: ran_ahead = true; seen_first = slot_first[tail & MASK]; seen_last = slot_last[tail & MASK]
        :: true
        fi;
#endif
end_waits:
        shared_head != tail; /*: return net_head(net) == net->tail ? NULL : net_slot(net, net->tail) */
#ifndef NO_ACQUIRE
        seen_first = slot_first[tail & MASK];
        seen_last = slot_last[tail & MASK];
#else
        if
        :: !ran_ahead -> seen_first = slot_first[tail & MASK]; seen_last = slot_last[tail & MASK]
        :: else
        fi;
#endif
#ifdef NO_RELEASE
        /* Both loads are performed behind the store of tail. */
        atomic { !tail_waits -> tail_value = WRAP(tail + 1); tail_waits = true }
        seen_first = slot_first[tail & MASK];
        seen_last = slot_last[tail & MASK];
#endif
/*= src/libos/net/net.h net_release_to :: tail|fence */
        is_whole = seen_first == tail && seen_last == tail;
        assert(is_whole);
        tail = WRAP(tail + 1); /*: net->tail = tail */
#ifndef NO_RELEASE
                               /*: __atomic_thread_fence(__ATOMIC_RELEASE) */
                               /*: net->ring->tail = tail */
        atomic { !tail_waits -> tail_value = tail; tail_waits = true }
#endif
    od
}
#endif

init {
    atomic {
        select (start : 0 .. 7);
        head = start;
        shared_head = start;
        shared_tail = start;
        has_begun = true
    }
#ifndef SCRIBBLES
    timeout -> assert(tail == head && put + dropped == ATTEMPTS) /* the owner has all that was put */
#endif
}
