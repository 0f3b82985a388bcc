/* Says how it was started. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char directory[4096];
    const char *names[] = {"HOME", "REPORT"};
    printf("user %d:%d\n", (int)getuid(), (int)getgid());
    printf("directory %s\n", getcwd(directory, sizeof directory));
    for (int i = 0; i < argc; i++)
        printf("argument %s\n", argv[i]);
    for (int i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);
        printf("%s %s\n", names[i], value ? value : "is not set");
    }
    return 0;
}
