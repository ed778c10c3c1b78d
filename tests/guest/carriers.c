/*
 * A member of a session that names another program's environment as its own: what a process does on
 * the table's word ends, frees and follows nothing but processes of the session.
 */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/proc/proc.h"
#include "libos/proc/session.h"
#include "libos/proc/table.h"
#include "libos/time/time.h"
#include "test.h"

#define RUN(...) ((char *[]){"carriers", __VA_ARGS__, NULL})

/* Writes another carrier into the own entry, and goes on as if nothing were. */
static _Noreturn void forge(uint32_t env)
{
    uint64_t life = table_life(table_self);
    uint64_t carrier = carrier_of(env, aegis_env(env)->serial);

    table_move(table_self, life, life_make(life_incarnation(life), LIFE_LIVE, carrier));
    for (;;) { /* deaf, too */
        table_self->pending = UINT64_MAX;
        aegis_yield(0);
    }
}

static _Noreturn void sleep_for_ever(void)
{
    for (;;)
        aegis_wait(NULL, 0, AEGIS_FOREVER);
}

static struct proc start(char **argv, int argc, bool member)
{
    const struct proc_options options = {
        .name = "carriers", .argc = argc, .argv = argv, .member = member};
    struct proc proc;
    CHECK_OK(proc_spawn(&proc, &options));
    return proc;
}

static pid_t spawn(char **argv)
{
    pid_t pid = 0;
    CHECK_EQ(posix_spawn(&pid, "carriers", NULL, NULL, argv, environ), 0);
    return pid;
}

static void wait_for_state(uint32_t env, enum aegis_env_state state)
{
    uint64_t limit = test_deadline();
    while (aegis_env(env)->state != state) {
        CHECK(time_now() < limit);
        aegis_yield(0);
    }
}

static uint32_t carrier_now(pid_t pid)
{
    uint64_t life = 0;
    return table_find(pid, &life) ? carrier_env(life) : 0;
}

static void wait_for_carrier(pid_t pid, uint32_t env)
{
    uint64_t limit = test_deadline();
    while (carrier_now(pid) != env) {
        CHECK(time_now() < limit);
        aegis_yield(0);
    }
}

static void end(uint32_t env)
{
    CHECK_OK(aegis_env_end(env, 0));
    wait_for_state(env, AEGIS_ENV_ENDED);
}

/* The environment that was made last of those that are this process's: serials grow. */
static uint32_t newest(void)
{
    uint32_t found = 0;

    for (uint32_t env = 1; env < aegis_info()->env_count; env++)
        if (aegis_env(env)->state == AEGIS_ENV_LIVE && aegis_env(env)->owner == exos.env &&
            (!found || aegis_env(env)->serial > aegis_env(found)->serial))
            found = env;
    return found;
}

/* A member names `victim`, and is sent SIGKILL, and waited for; then the victim is there. */
static void attack(uint32_t victim)
{
    uint32_t serial = aegis_env(victim)->serial;
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)victim);
    pid_t pid = spawn(RUN("forge", number));
    uint32_t own = newest(); /* its entry may name the victim already */
    CHECK(own != victim);
    wait_for_carrier(pid, victim);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(kill(-getpgrp(), 0), 0);
    waitpid(pid, NULL, WNOHANG);
    usleep(20000);
    CHECK(aegis_env(victim)->state == AEGIS_ENV_LIVE && aegis_env(victim)->serial == serial);
    end(own);
    uint64_t life;
    struct table_entry *entry = table_find(pid, &life); /* for the next: nobody carries it */
    if (entry)
        table_move(entry, life, life_make(life_incarnation(life) + 1, LIFE_FREE, 0));
    waitpid(-1, NULL, WNOHANG);
}

/* Where the child of `middle` is: made by it, and this process's since middle has ended. */
static uint32_t child_of(uint32_t serial)
{
    for (uint32_t env = 1; env < aegis_info()->env_count; env++)
        if (aegis_env(env)->state == AEGIS_ENV_LIVE && aegis_env(env)->maker == serial)
            return env;
    return 0;
}

static void others_programs_are_left_alone(void)
{
    struct proc other = start(RUN("sleep"), 2, false);
    struct proc_status status;
    attack(other.env);
    CHECK_OK(proc_kill(&other, 7));
    CHECK_EQ(proc_wait(&other, &status, AEGIS_FOREVER), 1);
    CHECK_EQ(status.value, 7);

    /* Nor their children, which come here with their end, before and after that is seen to. */
    struct proc middle = start(RUN("middle"), 2, false);
    uint32_t serial = aegis_env(middle.env)->serial, child;
    uint64_t limit = test_deadline();
    while (!(child = child_of(serial)))
        CHECK(time_now() < limit);
    uint32_t middle_env = middle.env;
    CHECK_OK(proc_kill(&middle, 0));
    wait_for_state(middle_env, AEGIS_ENV_ENDED);
    CHECK_EQ(aegis_env(child)->owner, exos.env);
    attack(child);
    CHECK_EQ(proc_wait(&middle, &status, AEGIS_FOREVER), 1);
    attack(child);
    end(child);
    CHECK_OK(aegis_env_free(child));
}

/* What the session's own processes have become by execve, or have left behind, is within reach. */
static void deaf_processes_end_after_execve(void)
{
    for (int steps = 1; steps < 4; steps++) {
        char text[16];
        int status = 0;
        snprintf(text, sizeof text, "%d", steps);
        pid_t pid = spawn(RUN("exec", text));
        uint64_t limit = test_deadline();
        while (*(volatile uint64_t *)&table_entry((uint32_t)pid % TABLE_SLOTS)->pending !=
               UINT64_MAX) {
            CHECK(time_now() < limit);
            aegis_yield(0);
        }
        do { /* its environment comes here when the one before has ended */
            CHECK(time_now() < limit);
            CHECK_EQ(kill(pid, SIGKILL), 0);
            usleep(1000);
        } while (waitpid(pid, &status, WNOHANG) == 0);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
}

/* struct proc names what was started, whatever its process says. */
static void a_struct_proc_follows_no_forged_word(void)
{
    struct proc other = start(RUN("sleep"), 2, false);
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)other.env);
    struct proc forger = start(RUN("forge", number), 3, true);
    struct proc_status status;
    wait_for_carrier(forger.pid, other.env);
    CHECK_EQ(proc_reap(&forger, &status), 0);
    CHECK_EQ(proc_wait(&forger, &status, time_after(20000000)), 0);
    uint32_t env = forger.env;
    CHECK(env != other.env);
    CHECK_OK(proc_kill(&forger, 0));
    wait_for_state(env, AEGIS_ENV_ENDED);
    CHECK_EQ(aegis_env(other.env)->state, AEGIS_ENV_LIVE);
    CHECK_OK(proc_kill(&other, 9));
    CHECK_EQ(proc_wait(&other, &status, AEGIS_FOREVER), 1);
    CHECK_EQ(status.value, 9);
    CHECK_EQ(proc_wait(&forger, &status, AEGIS_FOREVER), 1);
}

static int child(char **argv)
{
    if (!strcmp(argv[1], "forge"))
        forge((uint32_t)atoi(argv[2]));
    if (!strcmp(argv[1], "middle")) {
        start(RUN("sleep"), 2, false);
        sleep_for_ever();
    }
    if (!strcmp(argv[1], "exec") && atoi(argv[2]) > 0) {
        char left[16];
        snprintf(left, sizeof left, "%d", atoi(argv[2]) - 1);
        execve("carriers", RUN("exec", left), environ);
        return 1;
    }
    if (!strcmp(argv[1], "exec"))
        forge(exos.env);
    sleep_for_ever();
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return child(argv);
    CHECK_OK(proc_session_make());
    others_programs_are_left_alone();
    deaf_processes_end_after_execve();
    a_struct_proc_follows_no_forged_word();
    return 0;
}
