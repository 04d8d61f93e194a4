/*
 * LD_PRELOAD library: logs the system calls that change files below some directories, and makes the n-th of them fail,
 * and then every later one of the same name: libdb tries again, and a broken disk stays broken.
 *
 *   fault_arm(directories, n, error) from now on; n = 0: log only; several directories are separated by ':'
 *   fault_once(yes)                  whether the n-th call alone fails
 *   fault_log()                      what was called, one "call path" a line
 *   fault_hit()                      whether the n-th call came
 *
 * A failing write first writes half of its bytes, as a full disk does. Opening what exists fails with EIO only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

static char directory[4096], text[1 << 20];
static size_t used;
static char failing[16];
static int number, target, error, hit, once;

void fault_arm(const char *where, int n, int code)
{
    snprintf(directory, sizeof directory, "%s", where);
    used = 0;
    text[0] = '\0';
    failing[0] = '\0';
    number = hit = 0;
    target = n;
    error = code;
}

void fault_once(int yes) { once = yes; }

const char *fault_log(void) { return text; }

int fault_hit(void) { return hit; }

static int is_below(const char *path)
{
    const char *one = directory;

    while (*one) {
        size_t length = strcspn(one, ":");
        if (length && !strncmp(path, one, length))
            return 1;
        one += length + (one[length] == ':');
    }
    return 0;
}

/* Count and log one call; return whether it is the one to fail. */
static int fails(const char *call, const char *path)
{
    if (!is_below(path))
        return 0;
    if (used < sizeof text - 8192)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s %s\n", call, path);
    if (++number == target)
        snprintf(failing, sizeof failing, "%s", call);
    if (strcmp(failing, call) || (once && number != target))
        return 0;
    hit = 1;
    errno = error;
    return 1;
}

static int fd_fails(const char *call, int fd)
{
    char link[64], path[4096];
    ssize_t length;
    int saved = errno;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length < 0)
        return 0;
    path[length] = '\0';
    return fails(call, path);
}

/* The same for a name in the directory behind fd. */
static int at_fails(const char *call, int fd, const char *name)
{
    char link[64], path[4096];
    ssize_t length;
    int saved = errno;

    if (name[0] == '/' || fd == AT_FDCWD)
        return fails(call, name);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, 2048);
    errno = saved;
    if (length < 0)
        return 0;
    snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
    return fails(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                                                                                    \
    int name(const char *path, int flags, ...)                                                                        \
    {                                                                                                                 \
        va_list arguments;                                                                                            \
        mode_t mode;                                                                                                  \
        va_start(arguments, flags);                                                                                   \
        mode = va_arg(arguments, mode_t);                                                                             \
        va_end(arguments);                                                                                            \
        if ((error == EIO || (flags & O_CREAT && access(path, F_OK))) && fails("open", path))                              \
            return -1;                                                                                                \
        return REAL(name)(path, flags, mode);                                                                         \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *data, size_t size)
{
    if (fd_fails("write", fd)) {
        if (REAL(write)(fd, data, size / 2) < 0)
            return -1;
        errno = error;
        return -1;
    }
    return REAL(write)(fd, data, size);
}

#define PWRITE(name)                                                                                                  \
    ssize_t name(int fd, const void *data, size_t size, off_t offset)                                                 \
    {                                                                                                                 \
        if (fd_fails("write", fd)) {                                                                                 \
            if (REAL(name)(fd, data, size / 2, offset) < 0)                                                           \
                return -1;                                                                                            \
            errno = error;                                                                                            \
            return -1;                                                                                                \
        }                                                                                                             \
        return REAL(name)(fd, data, size, offset);                                                                    \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

int fsync(int fd) { return fd_fails("fsync", fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fd_fails("fdatasync", fd) ? -1 : REAL(fdatasync)(fd); }
int fchmod(int fd, mode_t mode) { return fd_fails("fchmod", fd) ? -1 : REAL(fchmod)(fd, mode); }
int fchown(int fd, uid_t uid, gid_t gid) { return fd_fails("fchown", fd) ? -1 : REAL(fchown)(fd, uid, gid); }
int ftruncate(int fd, off_t size) { return fd_fails("ftruncate", fd) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off_t size) { return fd_fails("ftruncate", fd) ? -1 : REAL(ftruncate64)(fd, size); }
int mkdir(const char *path, mode_t mode) { return fails("mkdir", path) ? -1 : REAL(mkdir)(path, mode); }
int rename(const char *from, const char *to) { return fails("rename", to) ? -1 : REAL(rename)(from, to); }

#define OPENAT(name)                                                                                                  \
    int name(int fd, const char *path, int flags, ...)                                                                \
    {                                                                                                                 \
        va_list arguments;                                                                                            \
        mode_t mode;                                                                                                  \
        va_start(arguments, flags);                                                                                   \
        mode = va_arg(arguments, mode_t);                                                                             \
        va_end(arguments);                                                                                            \
        if ((error == EIO || (flags & O_CREAT && faccessat(fd, path, F_OK, 0))) && at_fails("open", fd, path))        \
            return -1;                                                                                                \
        return REAL(name)(fd, path, flags, mode);                                                                     \
    }
OPENAT(openat)
OPENAT(openat64)

int unlink(const char *path) { return fails("unlink", path) ? -1 : REAL(unlink)(path); }
int rmdir(const char *path) { return fails("rmdir", path) ? -1 : REAL(rmdir)(path); }
int unlinkat(int fd, const char *name, int flags)
{
    return at_fails(flags & AT_REMOVEDIR ? "rmdir" : "unlink", fd, name) ? -1 : REAL(unlinkat)(fd, name, flags);
}
int mkdirat(int fd, const char *name, mode_t mode)
{
    return at_fails("mkdir", fd, name) ? -1 : REAL(mkdirat)(fd, name, mode);
}
int renameat(int from, const char *old, int to, const char *new)
{
    return at_fails("rename", to, new) ? -1 : REAL(renameat)(from, old, to, new);
}
int fchownat(int fd, const char *name, uid_t uid, gid_t gid, int flags)
{
    return at_fails("fchown", fd, name) ? -1 : REAL(fchownat)(fd, name, uid, gid, flags);
}
int lchown(const char *path, uid_t uid, gid_t gid) { return fails("fchown", path) ? -1 : REAL(lchown)(path, uid, gid); }
int chown(const char *path, uid_t uid, gid_t gid) { return fails("fchown", path) ? -1 : REAL(chown)(path, uid, gid); }
int chmod(const char *path, mode_t mode) { return fails("fchmod", path) ? -1 : REAL(chmod)(path, mode); }
int fchmodat(int fd, const char *name, mode_t mode, int flags)
{
    return at_fails("fchmod", fd, name) ? -1 : REAL(fchmodat)(fd, name, mode, flags);
}
int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
    return fd_fails("setxattr", fd) ? -1 : REAL(fsetxattr)(fd, name, value, size, flags);
}
int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    return fails("setxattr", path) ? -1 : REAL(setxattr)(path, name, value, size, flags);
}
int fremovexattr(int fd, const char *name) { return fd_fails("removexattr", fd) ? -1 : REAL(fremovexattr)(fd, name); }
int removexattr(const char *path, const char *name)
{
    return fails("removexattr", path) ? -1 : REAL(removexattr)(path, name);
}
