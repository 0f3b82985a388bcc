/* Starts a program inside a root, with /proc there: launch ROOT DIRECTORY [NAME=VALUE ...] -- PROGRAM [ARGUMENT ...] */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 126;
}

int main(int argc, char **argv)
{
    char proc[4096];
    int end = 3;

    while (end < argc && strcmp(argv[end], "--"))
        end++;
    if (end + 1 >= argc)
        return 125;
    argv[end] = NULL;
    snprintf(proc, sizeof proc, "%s/proc", argv[1]);
    if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)))
        return fail("unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return fail("mount /");
    if (mount("/proc", proc, NULL, MS_BIND | MS_REC, NULL))
        return fail("mount /proc");
    if (chroot(argv[1]))
        return fail("chroot");
    if (chdir(argv[2]))
        return fail("chdir");
    execve(argv[end + 1], argv + end + 1, argv + 3);
    return fail(argv[end + 1]);
}
