/* A program for tests of `coracle run`: does what its arguments say, in order, and prints what it sees. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_file(const char *path) {
    char text[8192];
    FILE *file = fopen(path, "r");
    if (!file) {
        printf("%s: %s\n", path, strerror(errno));
        return;
    }
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = 0;
    printf("%s: %s%s", path, text, size && text[size - 1] == '\n' ? "" : "\n");
    fclose(file);
}

static void write_file(const char *path) {
    FILE *file = fopen(path, "w");
    printf("write %s: %s\n", path, file ? "done" : strerror(errno));
    if (file)
        fclose(file);
}

static void print_status(const char *path) {
    struct stat status;
    if (lstat(path, &status))
        printf("%s: %s\n", path, strerror(errno));
    else
        printf("%s: %o %d:%d\n", path, status.st_mode, status.st_uid, status.st_gid);
}

static void end(int signal) {
    dprintf(1, "signal %d\n", signal);
    _exit(3);
}

static void reload(int signal) { dprintf(1, "signal %d\n", signal); }

/* Prints DIR/app.conf at first, and whenever the directory's files are replaced. */
static void watch(const char *directory) {
    char path[512], events[4096];
    snprintf(path, sizeof path, "%s/app.conf", directory);
    int inotify = inotify_init();
    inotify_add_watch(inotify, directory, IN_MOVED_TO);
    do
        print_file(path);
    while (read(inotify, events, sizeof events) > 0 || errno == EINTR);
}

int main(int count, char **args) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < count; i++) {
        char *value = strchr(args[i], '=');
        value = value ? value + 1 : "";
        switch (args[i][0]) {
        case 'i': printf("user %d:%d, process %d\n", getuid(), getgid(), getpid()); break;
        case 'f': print_file(value); break;
        case 'w': write_file(value); break;
        case 's': print_status(value); break;
        case 'e': printf("%s=%s\n", value, getenv(value) ? getenv(value) : "(unset)"); break;
        case 't': signal(SIGTERM, end); signal(SIGINT, end); break;
        case 'h': signal(SIGHUP, reload); break;
        case 'n': watch(value); break;
        case 'p': pause(); break;
        case 'x': return atoi(value);
        }
    }
    return 0;
}
