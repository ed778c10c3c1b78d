/*
 * Wake-up predicates against interrupts (design section 4; src/kernel/wake.c, schedule.c, interrupt.c, rx.c): no wake-up
 * is lost. The hart never sleeps without a pending interrupt while somebody's predicate holds or his deadline is over;
 * and when nothing happens any more, all frames have reached who waits for them.
 *
 * Four environments: A takes frames from its ring, and waits for one, sometimes with a deadline; B waits for an
 * interface's counter, or for the end of E; C waits for nothing while the kernel wants resources of it, which lets
 * interrupts in between the slots' looks; E runs, yields, and ends. The network's device uses descriptors and raises its
 * interrupt whenever it likes, time passes whenever it likes; the kernel runs with interrupts off, one step at a time.
 * A frame is for A's ring, or is dealt with by a handler, and then only counted.
 *
 * VARIANT ALONE: without B, so that nobody waits for counters; with a frame more than a batch takes
 *
 * MUTATION NO_LOOK "assertion violated 0": who arms isn't looked at before the hart sleeps
 * MUTATION POLL_BEHIND_LOOKS "assertion violated 0": interrupts are polled between the last look and the sleep
 * MUTATION POLL_UNHEEDED "assertion violated 0": what a poll between two looks changed is not heeded
 * MUTATION WAIT_UNHEEDED "assertion violated 0": an interrupt that changed something doesn't end the wait
 * MUTATION RING_SILENT "assertion violated 0": a handler doesn't tell that it filled a ring
 * MUTATION COUNTERS_UNCOUNTED "assertion violated 0": arming doesn't count the predicates on counters
 * MUTATION END_SILENT "assertion violated 0": a step of an environment's end is no news
 * MUTATION NO_TIMER "assertion violated 0": the timer isn't set to the earliest deadline
 * MUTATION FIRST_DEADLINE "assertion violated 0": the first sleeper's deadline counts, not the earliest
 * MUTATION NO_SECOND_LOOK "assertion violated quiet": the driver asks for interrupts and doesn't look again
 * MUTATION REST_FORGOTTEN "assertion violated quiet": a batch's rest isn't remembered
 */
#if defined(RING_SILENT) || defined(REST_FORGOTTEN)
#define ALONE
#endif
#define A       0
#define B       1
#define C       2
#define E       3
#define ENVS    4
#define LIVE    1
#define ENDING  2
#define GONE    3
#define FOREVER 100

#ifdef ALONE
#define FRAMES   3 /* that the device receives, at most */
#else
#define FRAMES   2
#endif
#define RX_BATCH 2
#define LAST     2 /* time at its end */
#define REVOKE_DEADLINE 2

/* The device, its queue, the interrupt controller. */
bool is_for_a[FRAMES];
byte used_idx, used_event, next_used;
bool irq, claimed;
#define SEIP (irq && !claimed)

byte now, stimecmp = FOREVER;
#define STIP (now >= stimecmp)

/* Words that predicates look at. */
byte head_a, tail_a, received, seen_received;
bool ended, seen_ended;
#define HOLDS(e) ((e == A && head_a != tail_a) || (e == B && (received != seen_received || ended != seen_ended)))

/* The kernel's state. */
byte state[ENVS] = LIVE;
bool receiver_is_a, armed[ENVS], revoking, unfinished, rx_unfinished, nic_changed, changed, in_wfi;
byte deadline[ENVS] = FOREVER;
byte wake_counters, slot, slice_end;
#ifdef NO_LOOK
byte blind = ENVS;
#endif

byte for_a; /* ghost: frames that the device received for A */
#define MISSED(e) (armed[e] && (HOLDS(e) || now >= deadline[e]))

active proctype device()
{
    do
    :: used_idx < FRAMES ->
        atomic {
            if
            :: is_for_a[used_idx] = true; for_a++
            :: true
            fi;
            used_idx++
        }
        if
        :: used_event == used_idx - 1 -> irq = true
        :: else
        fi
    :: break
    od
}

active proctype time()
{
end:
    do
    :: now < LAST -> now++
    od
}

/*= src/kernel/rx.c leave_rest :: unfinished|changed|virtq_want */
inline leave_rest()
{
    unfinished = true;    /*: netif->unfinished = true */
#ifndef REST_FORGOTTEN
    rx_unfinished = true; /*: slice_chores.rx_unfinished = true */
#endif
    nic_changed = true;   /*: netif->nic.changed = true */
    used_event = FOREVER  /*: virtq_want_no_interrupt(&netif->nic.rx, netif->nic.rx.size) */
}

/*= src/kernel/event.h event_deliver :: changed|ring_put */
/*: netif->nic.changed = true */ /*: if (!ring_put_received(binding, index, f->bytes, f->length, f->flags)) binding->counters.dropped++ */
inline receive_frame()
{
    received++;
    if
    :: is_for_a[next_used] ->
        head_a++;
        receiver_is_a = true; /* wake_receiver */
#ifndef RING_SILENT
        nic_changed = true
#endif
    :: else
    fi;
    next_used++
}

/*= src/kernel/drivers/virtio.h virtq_want_interrupt :: event|order|return */
/*: if (queue->event_idx) *queue->used_event = queue->next_used */
/*: virtq_order_with_device(queue) */
/*: return queue->used[VIRTQ_IDX] != queue->next_used */

/*= src/kernel/rx.c receive :: while|budget|BUDGET|left <|virtq_wa|leave_rest|receive_frame|return$ */
byte left;
bool waits;
inline receive()
{
    do                                       /*: int64_t left = RX_BUDGET */
    :: if                                    /*: while (nic_rx_next(nic, &buffer, &length, &head)) */
       :: atomic {
           next_used != used_idx ->
           receive_frame();                  /*: uint64_t index = receive_frame(netif, buffer, length, head, charged, &left) */
           waits = next_used != used_idx     /*: if (!virtq_waits(&nic->rx)) break */
           }
       :: next_used == used_idx
       fi;
       if
       :: waits -> atomic { waits = false; left-- }
       :: else ->
           used_event = next_used;
#ifdef NO_SECOND_LOOK
           break
#else
           if                                /*: if (__builtin_expect(left < netif->frame_most, 0)) */
           :: used_idx == next_used -> break /*: leave_rest(netif) */ /*: return */
           :: else -> left--                 /*: if (!virtq_want_interrupt(&nic->rx)) return */
           fi
#endif
       fi;
       if                                    /*: if (__builtin_expect(left < netif->frame_most, 0)) */
       :: left == 0 -> leave_rest(); break   /*: leave_rest(netif) */ /*: return */
       :: else
       fi
    od
}

/*= src/kernel/rx.c rx_interrupt :: acknowledge|changed|unfinished|receive */
inline rx_interrupt()
{
    atomic {
        irq = false;                     /*: virtio_acknowledge(&netif->nic.device) */
        nic_changed = wake_counters > 0; /*: netif->nic.changed = wake_counters */
        left = RX_BATCH
    }
    if                               /*: if (netif->unfinished) return netif->nic.changed */
    :: !unfinished -> receive()      /*: if (__builtin_expect(charge_runs(), 0)) receive_charged(netif) */
                                     /*: else receive(netif, false) */
    :: else
    fi                               /*: return netif->nic.changed */
}

/*= src/kernel/interrupt.c serve :: . */
inline serve()
{
                            /*: bool changed = false */
    rx_interrupt();         /*: if (irq < IRQ_COUNT) changed = handlers[irq].handler(handlers[irq].argument) */
    claimed = false         /*: plic_complete(irq) */
                            /*: return changed */
}

/*= src/kernel/interrupt.c interrupt_poll :: . */
inline interrupt_poll()
{
    changed = false;                /*: bool changed = false */ /*: uint32_t irq */
    do                              /*: while (irqoff_end(), irqoff_begin(), interrupt_is_pending() && (irq = plic_claim())) changed |= serve(irq) */
    :: atomic { SEIP -> claimed = true };
        serve();
        atomic { changed = changed || nic_changed; nic_changed = false }
    :: else -> break
    od                              /*: return changed */
}

/*= src/kernel/rx.c rx_continue :: unfinished|rx_interrupt|more|poll */
inline rx_continue()
{
                                  /*: bool more = false */
    if                            /*: if (!netifs[i].unfinished) continue */
    :: unfinished ->
        unfinished = false;       /*: netifs[i].unfinished = false */
        rx_interrupt();           /*: rx_interrupt(&netifs[i]) */
        interrupt_poll()          /*: interrupt_poll() */
    :: else /* (never) */
    fi;
    /* The loop's rests are frames of programs', as stores are; none is here. */
    /*: if (netifs[info->netif_count].unfinished) */ /*: interrupt_poll() */
    more = unfinished;            /*: i++) more |= netifs[i].unfinished */
    rx_unfinished = more          /*: slice_chores.rx_unfinished = more */
                                  /*: return more */
}

/*= src/kernel/wake.c cancel :: state|deadline|wake_counters */
inline wake_cancel(env)
{
    wake_counters = wake_counters - (env == B && armed[B] -> 1 : 0); /*: wake_counters -= wake->counters */
    deadline[env] = FOREVER;                             /*: wake->deadline = gate_deadline(env) */
    armed[env] = false                                   /*: env->state = ENV_RUNS */
}

/* What the kernel doesn't keep between entries. */
inline forget()
{
    d_step {
        i = 0;
        present = 0;
        earliest = 0;
        more = false;
        stepped = false;
        ready = false;
        asked = false;
        was_external = false;
        was_timer = false;
        changed = false;
        nic_changed = false;
        left = 0
    }
}

active proctype hart()
{
    byte e, i, earliest, present;
    bool more, stepped, ready, asked, was_external, was_timer;
    bool decided[ENVS];

    revoking = true;
#ifdef ALONE
    state[B] = GONE;
    state[E] = GONE;
#endif

/*= src/kernel/schedule.c slice_schedule :: . */
/*: uint64_t deadline */ /*: for ( */ /*: ) */ /*: charge_begin() */
schedule:
    /*: irqoff_end() */ /*: irqoff_begin() */
    interrupt_poll();               /*: if (__builtin_expect(interrupt_is_pending(), 0)) interrupt_poll() */
    /*: bool more = __builtin_expect(slice_chores.any != 0, 0) && do_chores() */
    more = false;
    if
    :: rx_unfinished -> rx_continue()
    :: else
    fi;
    /*: if (__builtin_expect(time_now() >= disk_deadline, 0)) disk_expire() */ /* nothing is asked of a disk */
    /*: charge_end() */
    /*: if ((!run_somebody_usual(&deadline) && run_somebody(&deadline)) || more) continue */ /* behind seen: */
    /*: timer_set(deadline < disk_deadline ? deadline : disk_deadline) */ /* nothing is asked of a disk */ /*: interrupt_wait() */ /*: run_receiver() */

/*= src/kernel/schedule.c do_chores :: more|poll */
    /*: bool more = slice_chores.rx_unfinished && rx_continue() */
    /*: more |= net_end_settle() */ /* nothing that is waited for */
    /*: interrupt_poll() */
    /*: more = true */ /*: return more */

/*
 * A round without anything out of the ordinary has no other effects than the general one, and leaves off for that one
 * before it has any.
 */
/*= src/kernel/schedule.c run_somebody_usual :: usual|earliest|return */
/*: uint64_t now = time_now(), earliest = AEGIS_FOREVER */ /*: if (__builtin_expect(slice_fresh != 0, 0)) return false */
/*: if (!run_usual_one_of(next, end, now, &earliest) || !run_usual_one_of(first, next, now, &earliest)) return false */
/*: *deadline = earliest */ /*: return true */
/*= src/kernel/schedule.c run_usual_one_of :: unusual|WAITS|until|return|now */
/*: if (__builtin_expect(env->is_unusual, 0)) return false */
/*: if (env->state == ENV_WAITS ? wakes(env) : env->state == ENV_RUNS) run_usual(env, (uint32_t)(slot - slice_runs), now) */
/*: if (env->state != ENV_WAITS && gate_calls(env)) return false */
/*: uint64_t until = env->wake.deadline */ /*: if (until < *deadline) */ /*: *deadline = until */ /*: if (now >= until) return false */
/*: return true */
/*= src/kernel/schedule.c run_somebody :: time_now|run_one_of|earliest */
    atomic {
        present = now;              /*: uint64_t now = time_now(), earliest = AEGIS_FOREVER */
        earliest = FOREVER;
        stepped = false;
        asked = false;
        i = 0
    }
    /*: if (__builtin_expect(slice_fresh != 0, 0)) run_one_not_fresh(next, end, now, &earliest, &changed) */ /* nobody takes slots */
                                    /*: else run_one_of(next, end, now, &earliest, &changed) */
                                    /*: run_one_of(0, next, now, &earliest, &changed) */
                                    /*: *deadline = earliest */

/*= src/kernel/schedule.c turn :: step|turn|changed|wake_ready|run|deadline|debt */
    /*: if (env->is_unusual && turn_rarely(env, now, deadline, changed)) return */
    /*: if (wake_ready(env, now)) */ /*: run(env, env) */
    /*: if (gate_calls(env)) run_callee(env, slot, now, deadline) */ /* nobody calls */
    /*: else if (env->wake.deadline < *deadline) *deadline = env->wake.deadline */
    /*: env->info->debt = 0 */ /* nobody owes */
slots:
    atomic {
        do
        :: i == ENVS -> goto seen
        :: i < ENVS ->
            e = (slot + 1 + i) % ENVS;
            if
            :: state[e] == GONE -> i++
            :: state[e] == ENDING -> i++; goto end_step
            :: state[e] == LIVE && e == C && revoking && !asked -> goto asking
            :: else ->
                ready = !armed[e] || HOLDS(e) || present >= deadline[e];
#ifdef NO_LOOK
                ready = ready && e != blind;
                blind = (e == blind -> ENVS : blind);
#endif
                if
                :: ready ->
                    wake_cancel(e);
                    slot = e;
                    slice_end = now + 1;
                    stimecmp = slice_end;
                    goto user
                :: else
                fi;
#ifdef FIRST_DEADLINE
                earliest = (earliest == FOREVER -> deadline[e] : earliest);
#else
                earliest = (deadline[e] < earliest -> deadline[e] : earliest);
#endif
                i++
            fi
        od
    }
/*= src/kernel/schedule.c turn_rarely :: changed|step|return|deadline */
    /*: end_step(env) */ /*: *changed = true */ /*: return true */ /* end_step, below */
asking:
    ready = present >= REVOKE_DEADLINE; /*: bool step = revoke_step(env, now) */
    interrupt_poll();
    atomic {
#ifndef POLL_UNHEEDED
        stepped = stepped || changed;   /*: *changed |= interrupt_poll() || step */
#endif
        if                              /*: if (step) return true */
        :: ready -> stepped = true; revoking = false; i++
        :: else ->
                                        /*: if (env->revocation.deadline < *deadline) *deadline = env->revocation.deadline */
            earliest = (REVOKE_DEADLINE < earliest -> REVOKE_DEADLINE : earliest);
            asked = true
        fi;                             /*: *changed = true */ /*: return true */ /* nobody owes */
        goto slots                      /*: return false */
    }

/*= src/kernel/schedule.c end_step :: . */
end_step:
    ended = true;                       /*: env_end_step(env) */ /*: check_walk("env_end_step") */
    state[e] = GONE;
#ifndef END_SILENT
    stepped = true;
#endif
    interrupt_poll();                   /*: interrupt_poll() */
    goto slots;

seen:
#ifdef POLL_BEHIND_LOOKS
    interrupt_poll();
#endif
    atomic {
        if
        :: stepped || more -> goto schedule
        :: else
        fi;
#ifdef NO_TIMER
        stimecmp = FOREVER;
#else
        stimecmp = earliest;
#endif
        forget()
    }

/*= src/kernel/interrupt.c interrupt_wait :: . */
                                   /*: uint64_t pending */ /*: uint32_t irq */
wait:                              /*: do */ /*: irqoff_end() */
    atomic {                       /*: wait_for_interrupt() */
        in_wfi = true;
        forget()
    }
end_wfi:
    atomic {
        SEIP || STIP -> in_wfi = false; /*: irqoff_begin() */
        was_external = SEIP;            /*: pending = csr_read(sip) */
        was_timer = STIP
    }
    if                            /*: if ((pending & SIE_SEIE) && (irq = plic_claim()) && serve(irq)) return */
    :: was_external ->
        claimed = true;
        serve();
#ifndef WAIT_UNHEEDED
        if
        :: nic_changed -> goto run_receiver
        :: else
        fi
#endif
    :: else
    fi;
    if                            /*: while (!(pending & SIE_STIE)) */
    :: was_timer -> goto run_receiver
    :: else -> goto wait
    fi;

/*= src/kernel/schedule.c run_receiver :: . */
run_receiver:                     /*: struct env *env = env_table[wake_receiver] */
    atomic {
        if                        /*: if (!env || env->is_unusual || env->state != ENV_WAITS || slice_runs[env->slot] != env || !wakes(env)) return */
        :: receiver_is_a && state[A] == LIVE && armed[A] && HOLDS(A) ->
            e = A;                /*: run_usual(env, env->slot, time_now()) */
            wake_cancel(A);
            slot = A;
            slice_end = now + 1;
            stimecmp = slice_end;
            goto user
        :: else -> goto schedule
        fi
    }

user: /* e runs */
    forget();
    do
    :: SEIP -> interrupt_poll()
    :: STIP -> goto schedule
    :: e == A && !decided[A] ->
        if
        :: head_a != tail_a -> tail_a = head_a
        :: else -> decided[A] = true
        fi
    :: e == B && !decided[B] ->
        if
        :: received != seen_received || ended != seen_ended -> atomic { seen_received = received; seen_ended = ended }
        :: else -> decided[B] = true
        fi
    :: e == A && decided[A] -> goto call_wait
    :: e == B && decided[B] -> goto call_wait
    :: e == C -> goto call_wait
    :: e == E -> goto schedule
    :: e == E -> state[E] = ENDING; goto schedule
    :: e == E -> /* yields to A */
        atomic {
            ready = !armed[A] || HOLDS(A) || now >= deadline[A];
            if
            :: ready -> wake_cancel(A)
            :: else
            fi
        }
        if
        :: ready -> e = A /* whose slot isn't taken, and the slice's end stays */
        :: else -> goto schedule
        fi
    od;

/*= src/kernel/wake.c sleep_now :: wake_counters|deadline|state|slice_next */
call_wait:
    atomic {
        decided[e] = false;
#ifndef COUNTERS_UNCOUNTED
        wake_counters = wake_counters + (e == B -> 1 : 0); /*: wake_counters += counters */
#endif
        if                                                 /*: wake->deadline = deadline */
        :: e == A && now < LAST -> deadline[e] = now + 1
        :: else -> deadline[e] = FOREVER
        fi;
                                                           /*: wake->arguments[2] = deadline */
        armed[e] = true;                                   /*: self->state = ENV_WAITS */
#ifdef NO_LOOK
        blind = e;
#endif
        goto schedule                                      /*: slice_next() */
    }
}

/* Nobody sleeps through what he waits for; and in the end all is where it belongs. */
active proctype watcher()
{
    bool quiet;
end:
    do
    :: in_wfi && !SEIP && !STIP &&
        (MISSED(A) || MISSED(B) || MISSED(C) || (revoking && now >= REVOKE_DEADLINE)) -> assert(0) /* (never) */
    :: timeout ->
        quiet = in_wfi && next_used == used_idx && tail_a == for_a &&
                (state[B] == GONE || (seen_received == received && ended == seen_ended));
        assert(quiet);
        break
    od
}
