/* The front of dpflift: texts and files to images (dpflift.h). */
#include "tools/dpfc/dpflift.h"
#include "tools/dpfc/lift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1u << 20)

/* All that a compilation holds; what was started is ended whether it fails or not. */
struct session {
    struct trouble trouble;
    struct classic program;
    struct graph graph;
    struct lift lift;
    struct exchange exchange;
    struct emission ingress, egress;
};

void dpflift_free(struct dpflift_image *image)
{
    if (image)
        free(image->bytes);
    if (image)
        *image = (struct dpflift_image){0};
}

static void start(struct session *session, enum graph_effort effort)
{
    /* First what can't fail and makes the others safe to end. */
    memset(&session->graph, 0, sizeof session->graph);
    memset(&session->lift, 0, sizeof session->lift);
    memset(&session->exchange, 0, sizeof session->exchange);
    session->graph.trouble = &session->trouble;
    emit_start(&session->ingress, &session->graph);
    emit_start(&session->egress, &session->graph);
    graph_start(&session->graph, &session->trouble, effort);
    lift_start(&session->lift, &session->graph, &session->program);
    exchange_start(&session->exchange, &session->graph);
}

static void end(struct session *session)
{
    emit_end(&session->ingress);
    emit_end(&session->egress);
    exchange_end(&session->exchange);
    lift_end(&session->lift);
    graph_end(&session->graph);
}

/* Compiles the session's program with one effort. */
static enum dpflift_status attempt(struct session *session, enum graph_effort effort,
                                   struct dpflift_image *ingress, struct dpflift_image *egress)
{
    if (setjmp(session->trouble.back)) {
        end(session);
        dpflift_free(ingress);
        dpflift_free(egress);
        return session->trouble.status;
    }
    start(session, effort);
    uint32_t node = lift_run(&session->lift);
    emit_run(&session->ingress, node, ingress);
    if (egress)
        emit_run(&session->egress, exchange_run(&session->exchange, node), egress);
    end(session);
    return DPFLIFT_OK;
}

/* Makes the session's program of a text. */
static enum dpflift_status parse(struct session *session, const char *text)
{
    if (setjmp(session->trouble.back))
        return session->trouble.status;
    if (!text[strspn(text, " \t\r\n")])
        fail(&session->trouble, DPFLIFT_TEXT,
             "the filter is empty; \"len >= 0\" would take every frame");
    if (classic_is_ddd(text))
        classic_read(&session->program, text, &session->trouble);
    else
        classic_compile(&session->program, text, &session->trouble);
    classic_check(&session->program, &session->trouble);
    return DPFLIFT_OK;
}

/* A copy of the text in which comments are blanks, so that lines keep their numbers. */
static char *without_comments(const char *text)
{
    char *copy = strdup(text);
    bool comment = false;
    for (char *c = copy; c && *c; c++) {
        comment = *c == '#' || (comment && *c != '\n');
        if (comment)
            *c = ' ';
    }
    return copy;
}

enum dpflift_status dpflift_text(const char *text, struct dpflift_image *ingress,
                                 struct dpflift_image *egress, char *error)
{
    enum dpflift_status status = DPFLIFT_SYSTEM;
    struct session *session = malloc(sizeof *session);
    char *code = without_comments(text);
    *ingress = (struct dpflift_image){0};
    if (egress)
        *egress = (struct dpflift_image){0};
    snprintf(error, DPFLIFT_ERROR_SIZE, "out of memory");
    if (session && code) {
        session->trouble.error = error;
        status = parse(session, code);
        bool parsed = status == DPFLIFT_OK;
        for (int effort = 0; parsed && effort < GRAPH_EFFORTS; effort++) {
            status = attempt(session, effort, ingress, egress);
            parsed = status == DPFLIFT_REFUSED;
        }
    }
    free(code);
    free(session);
    return status;
}

/* Reads all of a file into a buffer of TEXT_MAX + 1 bytes and ends it with a zero. */
static enum dpflift_status read_text(FILE *file, char *text, char *error)
{
    size_t size = fread(text, 1, TEXT_MAX + 1, file);
    if (ferror(file)) {
        snprintf(error, DPFLIFT_ERROR_SIZE, "%s", strerror(errno));
        return DPFLIFT_SYSTEM;
    }
    if (size > TEXT_MAX) {
        snprintf(error, DPFLIFT_ERROR_SIZE, "longer than %u bytes", TEXT_MAX);
        return DPFLIFT_TEXT;
    }
    text[size] = 0;
    if (strlen(text) == size)
        return DPFLIFT_OK;
    snprintf(error, DPFLIFT_ERROR_SIZE, "not a text: it holds a zero byte");
    return DPFLIFT_TEXT;
}

char *dpflift_read(const char *path, enum dpflift_status *status, char *error)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;
    char *text = malloc(TEXT_MAX + 1);
    *status = DPFLIFT_SYSTEM;
    if (file && text)
        *status = read_text(file, text, error);
    else
        snprintf(error, DPFLIFT_ERROR_SIZE, "%s", strerror(errno));
    if (file && file != stdin)
        fclose(file);
    if (*status != DPFLIFT_OK) {
        free(text);
        text = 0;
    }
    return text;
}

enum dpflift_status dpflift_file(const char *path, struct dpflift_image *ingress,
                                 struct dpflift_image *egress, char *error)
{
    enum dpflift_status status;
    char *text = dpflift_read(path, &status, error);
    if (text)
        status = dpflift_text(text, ingress, egress, error);
    free(text);
    return status;
}
