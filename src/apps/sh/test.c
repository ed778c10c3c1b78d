/* The builtin test, and [ (POSIX XCU test). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell.h"

#define WRONG 2

/* The words that are left, and whether one of them made no sense. */
struct question {
    char **at;
    int left;
    bool wrong;
};

static bool either(struct question *q);

static bool wrong(struct question *q, const char *word, const char *why)
{
    if (!q->wrong)
        complain("test: %s: %s", word, why);
    q->wrong = true;
    return false;
}

static bool take(struct question *q, const char *word)
{
    if (!q->left || strcmp(*q->at, word) != 0)
        return false;
    q->at++;
    q->left--;
    return true;
}

static long long number(struct question *q, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        wrong(q, text, "no number");
    return value;
}

static const char *const comparisons[] = {"=", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"};

static int comparison(const char *word)
{
    for (int i = 0; i < (int)(sizeof comparisons / sizeof *comparisons); i++)
        if (!strcmp(word, comparisons[i]))
            return i;
    return -1;
}

static bool compare(struct question *q, const char *a, int how, const char *b)
{
    if (how < 2)
        return (strcmp(a, b) == 0) == (how == 0);
    long long x = number(q, a), y = number(q, b);
    const bool answers[] = {x == y, x != y, x<y, x <= y, x> y, x >= y};
    return answers[how - 2];
}

/* -f and its like. */
static bool about(struct question *q, char what, const char *word)
{
    struct stat status;
    bool there = strchr("dfeps", what) && stat(word, &status) == 0;

    switch (what) {
    case 'n':
        return *word;
    case 'z':
        return !*word;
    case 'd':
        return there && S_ISDIR(status.st_mode);
    case 'f':
        return there && S_ISREG(status.st_mode);
    case 'p':
        return there && S_ISFIFO(status.st_mode);
    case 's':
        return there && status.st_size > 0;
    case 'e':
        return there;
    case 'r':
        return access(word, R_OK) == 0;
    case 'w':
        return access(word, W_OK) == 0;
    case 'x':
        return access(word, X_OK) == 0;
    default:
        return isatty((int)number(q, word));
    }
}

static bool primary(struct question *q)
{
    if (!q->left)
        return wrong(q, "a word", "missing");
    char **words = q->at;
    int how = q->left > 2 ? comparison(words[1]) : -1;
    if (how >= 0) {
        q->at += 3;
        q->left -= 3;
        return compare(q, words[0], how, words[2]);
    }
    if (q->left > 1 && take(q, "!"))
        return !primary(q);
    if (q->left > 2 && take(q, "(")) {
        bool answer = either(q);
        return take(q, ")") ? answer : wrong(q, ")", "missing");
    }
    if (q->left > 1 && words[0][0] == '-' && words[0][1] && !words[0][2] &&
        strchr("dfeprstwxnz", words[0][1])) {
        q->at += 2;
        q->left -= 2;
        return about(q, words[0][1], words[1]);
    }
    q->at++;
    q->left--;
    return **words;
}

static bool both(struct question *q)
{
    bool answer = primary(q);
    while (take(q, "-a"))
        answer = primary(q) && answer;
    return answer;
}

static bool either(struct question *q)
{
    bool answer = both(q);
    while (take(q, "-o"))
        answer = both(q) || answer;
    return answer;
}

int do_test(int argc, char **argv)
{
    struct question q = {.at = argv + 1, .left = argc - 1};

    if (!strcmp(argv[0], "[") && strcmp(argv[--q.left + 1], "]") != 0) {
        complain("[: ] is missing");
        return WRONG;
    }
    if (!q.left)
        return 1;
    bool answer = either(&q);
    if (q.left && !q.wrong)
        wrong(&q, *q.at, "not expected here");
    return q.wrong ? WRONG : !answer;
}
