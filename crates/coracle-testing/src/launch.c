/* Starts a program inside a root, with what a runtime puts there (/proc, /dev) where the root has a directory for it:
   launch ROOT DIRECTORY UID:GID|- [NAME=VALUE ...] -- PROGRAM [ARGUMENT ...] */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
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
    const char *mounts[] = {"/proc", "/dev"};
    char target[4096];
    unsigned uid, gid;
    int end = 4;

    while (end < argc && strcmp(argv[end], "--"))
        end++;
    if (end + 1 >= argc)
        return 125;
    argv[end] = NULL;
    if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)))
        return fail("unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return fail("mount /");
    for (int i = 0; i < 2; i++) {
        snprintf(target, sizeof target, "%s%s", argv[1], mounts[i]);
        if (mount(mounts[i], target, NULL, MS_BIND | MS_REC, NULL) && errno != ENOENT)
            return fail(target);
    }
    if (chroot(argv[1]))
        return fail("chroot");
    if (chdir(argv[2]))
        return fail("chdir");
    if (sscanf(argv[3], "%u:%u", &uid, &gid) == 2 && (setgroups(0, NULL) || setgid(gid) || setuid(uid)))
        return fail(argv[3]);
    execve(argv[end + 1], argv + end + 1, argv + 4);
    return fail(argv[end + 1]);
}
