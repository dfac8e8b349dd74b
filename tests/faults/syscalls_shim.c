/* Counts every call that changes a disk or sends to a socket, in all threads under one number, and at one of them
   kills the process or answers with an error instead of doing it. Only files below one folder and internet sockets count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long seen, chosen;
static long from = 0, until = 0;
static int failure = 0, noted = -1, armed = 0;
static char root[PATH_MAX], only[PATH_MAX];

/* From the call `first` to `last`, of all calls or of those that are `wanted`: "fsync\t/out". */
void syscalls_arm(const char *folder, long first, long last, int error, int log, const char *wanted) {
    snprintf(root, sizeof root, "%s", folder);
    snprintf(only, sizeof only, "%s", wanted);
    from = first, until = last, failure = error, noted = log, armed = 1;
}

static int hit(const char *call, const char *path) {
    long number = atomic_fetch_add(&seen, 1) + 1;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld\t%s\t%s\n", number, call, path);
    if (noted >= 0) syscall(SYS_write, noted, line, length);
    if (*only) {
        snprintf(line, sizeof line, "%s\t%s", call, path);
        if (strcmp(line, only) != 0) return 0;
        number = atomic_fetch_add(&chosen, 1) + 1;
    }
    if (number < from || number > until) return 0;
    if (noted >= 0) syscall(SYS_write, noted, "hit\n", 4);
    if (failure == 0) {
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
        for (;;) pause();
    }
    errno = failure;
    return 1;
}

static int below(const char *path) {
    size_t length = strlen(root);
    return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int on_fd(const char *call, int fd) {
    char link[64], path[PATH_MAX];
    if (!armed) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, "socket:", 7) == 0) {
        struct sockaddr_storage name;
        socklen_t size = sizeof name;
        if (getsockname(fd, (struct sockaddr *)&name, &size) != 0 || name.ss_family != AF_INET) return 0;
        return hit(call, "socket");
    }
    return below(path) ? hit(call, path + strlen(root)) : 0;
}

static int on_path(const char *call, int folder, const char *name) {
    char link[64], path[PATH_MAX];
    if (!armed) return 0;
    if (name[0] == '/') return below(name) ? hit(call, name + strlen(root)) : 0;
    if (folder == AT_FDCWD) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    snprintf(path + length, sizeof path - length, "/%s", name);
    return below(path) ? hit(call, path + strlen(root)) : 0;
}

#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)
#define WRITES(name, shown, more, pass)                                                            \
    ssize_t name(int fd, const void *data, size_t size more) {                                     \
        typedef ssize_t (*call)(int, const void *, size_t more);                                   \
        REAL(#name, call);                                                                         \
        return on_fd(shown, fd) ? -1 : real(fd, data, size pass);                                  \
    }
#define COMMA ,
WRITES(write, "write", , )
WRITES(pwrite, "pwrite64", COMMA off_t at, COMMA at)
WRITES(pwrite64, "pwrite64", COMMA off64_t at, COMMA at)
WRITES(send, "sendto", COMMA int flags, COMMA flags)

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    typedef ssize_t (*call)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    REAL("sendto", call);
    return on_fd("sendto", fd) ? -1 : real(fd, data, size, flags, to, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    typedef ssize_t (*call)(int, const struct msghdr *, int);
    REAL("sendmsg", call);
    return on_fd("sendmsg", fd) ? -1 : real(fd, message, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    typedef ssize_t (*call)(int, const struct iovec *, int);
    REAL("writev", call);
    return on_fd("writev", fd) ? -1 : real(fd, parts, count);
}

#define ON_FD(name, shown, more, pass)                                                             \
    int name(int fd more) {                                                                        \
        typedef int (*call)(int more);                                                             \
        REAL(#name, call);                                                                         \
        return on_fd(shown, fd) ? -1 : real(fd pass);                                              \
    }
ON_FD(fsync, "fsync", , )
ON_FD(fdatasync, "fdatasync", , )
ON_FD(ftruncate, "ftruncate", COMMA off_t size, COMMA size)
ON_FD(ftruncate64, "ftruncate", COMMA off64_t size, COMMA size)

#define ON_PATH(name, more, pass)                                                                  \
    int name(const char *path more) {                                                              \
        typedef int (*call)(const char * more);                                                    \
        REAL(#name, call);                                                                         \
        return on_path(#name, AT_FDCWD, path) ? -1 : real(path pass);                              \
    }
ON_PATH(unlink, , )
ON_PATH(rmdir, , )
ON_PATH(mkdir, COMMA mode_t mode, COMMA mode)
ON_PATH(rename, COMMA const char *new, COMMA new)
ON_PATH(link, COMMA const char *new, COMMA new)

#define AT_PATH(name, more, pass)                                                                  \
    int name(int folder, const char *path more) {                                                  \
        typedef int (*call)(int, const char * more);                                               \
        REAL(#name, call);                                                                         \
        return on_path(#name, folder, path) ? -1 : real(folder, path pass);                        \
    }
AT_PATH(unlinkat, COMMA int flags, COMMA flags)
AT_PATH(mkdirat, COMMA mode_t mode, COMMA mode)
AT_PATH(renameat, COMMA int to COMMA const char *new, COMMA to COMMA new)
AT_PATH(renameat2, COMMA int to COMMA const char *new COMMA unsigned flags, COMMA to COMMA new COMMA flags)
AT_PATH(linkat, COMMA int to COMMA const char *new COMMA int flags, COMMA to COMMA new COMMA flags)

#define OPENS(name)                                                                                \
    int name(const char *path, int flags, ...) {                                                   \
        typedef int (*call)(const char *, int, ...);                                               \
        REAL(#name, call);                                                                         \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = va_arg(rest, mode_t);                                                        \
        va_end(rest);                                                                              \
        return on_path(flags & O_CREAT ? "openat+creat" : "openat", AT_FDCWD, path) ? -1 : real(path, flags, mode); \
    }
#define OPENS_AT(name)                                                                             \
    int name(int folder, const char *path, int flags, ...) {                                       \
        typedef int (*call)(int, const char *, int, ...);                                          \
        REAL(#name, call);                                                                         \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = va_arg(rest, mode_t);                                                        \
        va_end(rest);                                                                              \
        return on_path(flags & O_CREAT ? "openat+creat" : "openat", folder, path) ? -1 : real(folder, path, flags, mode); \
    }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)
