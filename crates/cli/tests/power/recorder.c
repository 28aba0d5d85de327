/* Records what a process writes below one folder, and what it syncs, in the order in which it happens.
 *
 * Loaded with LD_PRELOAD. Takes two variables: RECORDER_ROOT, the folder, and RECORDER_LOG, the file to append to. Each entry
 * is: kind, 1 byte; length of the path, 4 bytes; length of the second path or of the data, 8 bytes; offset or length,
 * 8 bytes; the path; the second path or the data. Paths are relative to the root. Numbers are little-endian, as those machines have them that this is for.
 *
 * With RECORDER_FAILS, a number, and RECORDER_ERRNO, that operation below the root fails so, and no other does. The file of
 * acknowledgements is the test's own, and never fails.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE = 'c', WRITE = 'w', LENGTH = 'l', SYNC = 's', RENAME = 'r', REMOVE = 'u', FOLDER = 'd', NO_FOLDER = 'D', FAILED = 'f' };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static int journal = -1;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static ssize_t real_write(int fd, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    return real(fd, bytes, count);
}

static void start(void) {
    const char *folder = getenv("RECORDER_ROOT"), *file = getenv("RECORDER_LOG");
    static int (*real)(const char *, int, ...);
    if (journal >= 0 || !folder || !file) return;
    if (!realpath(folder, root)) return;
    real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    journal = real(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The path below the root; NULL if it lies elsewhere. */
static const char *below(const char *path, char *whole) {
    start();
    if (journal < 0 || !path) return NULL;
    if (path[0] == '/') {
        snprintf(whole, PATH_MAX, "%s", path);
    } else {
        char here[PATH_MAX / 2];
        if (!getcwd(here, sizeof here)) return NULL;
        snprintf(whole, PATH_MAX, "%s/%s", here, path);
    }
    size_t length = strlen(root);
    if (strncmp(whole, root, length) || (whole[length] != '/' && whole[length])) return NULL;
    return whole[length] ? whole + length + 1 : whole + length;
}

static const char *of_file(int fd, char *whole) {
    char link[64];
    if (journal < 0) start();
    if (journal < 0 || fd == journal) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, whole, PATH_MAX - 1);
    if (length < 0) return NULL;
    whole[length] = 0;
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", whole);
    return below(copy, whole);
}

static void note(enum kind kind, const char *path, const void *data, uint64_t count, uint64_t offset) {
    unsigned char head[21];
    uint32_t length = (uint32_t)strlen(path);
    int saved = errno;
    head[0] = (unsigned char)kind;
    memcpy(head + 1, &length, 4);
    memcpy(head + 5, &count, 8);
    memcpy(head + 13, &offset, 8);
    pthread_mutex_lock(&lock);
    if (real_write(journal, head, sizeof head) != sizeof head || real_write(journal, path, length) != length
        || (count && real_write(journal, data, count) != (ssize_t)count)) {
        abort();
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
}

/* Whether this operation is the one that fails; `errno` is set then. */
static int fails(const char *name) {
    static unsigned long operations;
    const char *which = getenv("RECORDER_FAILS"), *how = getenv("RECORDER_ERRNO");
    if (!name || !which || !how || !strcmp(name, "acks")) return 0;
    if (__atomic_add_fetch(&operations, 1, __ATOMIC_SEQ_CST) != strtoul(which, NULL, 10)) return 0;
    note(FAILED, name, NULL, 0, 0);
    errno = atoi(how);
    return 1;
}

static int file_fails(int fd) {
    char whole[PATH_MAX];
    int saved = errno;
    const char *name = of_file(fd, whole);
    errno = saved;
    return fails(name);
}

static int path_fails(const char *path) {
    char whole[PATH_MAX];
    return fails(below(path, whole));
}

static int opened(int fd, const char *path, int flags, int existed) {
    char whole[PATH_MAX];
    const char *name = fd < 0 ? NULL : below(path, whole);
    if (name && (flags & O_CREAT) && !existed) note(CREATE, name, NULL, 0, 0);
    if (name && (flags & O_TRUNC) && existed) note(LENGTH, name, NULL, 0, 0);
    return fd;
}

#define OPEN(function) \
    int function(const char *path, int flags, ...) { \
        static int (*real)(const char *, int, ...); \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #function); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        int existed = access(path, F_OK) == 0; \
        if ((flags & O_CREAT) && !existed && path_fails(path)) return -1; \
        return opened(real(path, flags, mode), path, flags, existed); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(function) \
    int function(int folder, const char *path, int flags, ...) { \
        static int (*real)(int, const char *, int, ...); \
        if (!real) real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #function); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        int existed = faccessat(folder, path, F_OK, 0) == 0; \
        if ((flags & O_CREAT) && !existed && path_fails(path)) return -1; \
        int fd = real(folder, path, flags, mode); \
        return folder == AT_FDCWD || path[0] == '/' ? opened(fd, path, flags, existed) : fd; \
    }
OPENAT(openat)
OPENAT(openat64)

static void written(int fd, const void *bytes, ssize_t count, off64_t offset) {
    char whole[PATH_MAX];
    const char *name = count > 0 ? of_file(fd, whole) : NULL;
    if (!name) return;
    note(WRITE, name, bytes, (uint64_t)count, (uint64_t)offset);
    int saved = errno;
    if (fcntl(fd, F_GETFL) & O_DSYNC) note(SYNC, name, NULL, 0, 0);
    errno = saved;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (file_fails(fd)) return -1;
    ssize_t done = real_write(fd, bytes, count);
    if (done > 0) {
        int saved = errno;
        off64_t after = lseek64(fd, 0, SEEK_CUR);
        errno = saved;
        if (after >= done) written(fd, bytes, done, after - done);
    }
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    ssize_t all = 0;
    for (int part = 0; part < count; part++) {
        ssize_t done = write(fd, parts[part].iov_base, parts[part].iov_len);
        if (done < 0) return all ? all : done;
        all += done;
        if ((size_t)done < parts[part].iov_len) break;
    }
    return all;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    REAL(pwrite);
    if (file_fails(fd)) return -1;
    ssize_t done = real(fd, bytes, count, offset);
    written(fd, bytes, done, offset);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    if (file_fails(fd)) return -1;
    ssize_t done = real(fd, bytes, count, offset);
    written(fd, bytes, done, offset);
    return done;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    ssize_t all = 0;
    for (int part = 0; part < count; part++) {
        ssize_t done = pwrite(fd, parts[part].iov_base, parts[part].iov_len, offset + all);
        if (done < 0) return all ? all : done;
        all += done;
        if ((size_t)done < parts[part].iov_len) break;
    }
    return all;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    return pwritev(fd, parts, count, offset);
}

static int cut(int fd, int done, off64_t length) {
    char whole[PATH_MAX];
    const char *name = done ? NULL : of_file(fd, whole);
    if (name) note(LENGTH, name, NULL, 0, (uint64_t)length);
    return done;
}

int ftruncate(int fd, off_t length) {
    REAL(ftruncate);
    if (file_fails(fd)) return -1;
    return cut(fd, real(fd, length), length);
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    if (file_fails(fd)) return -1;
    return cut(fd, real(fd, length), length);
}

static int synced(int fd, int done) {
    char whole[PATH_MAX];
    const char *name = done ? NULL : of_file(fd, whole);
    if (name) note(SYNC, name, NULL, 0, 0);
    return done;
}

int fsync(int fd) {
    REAL(fsync);
    if (file_fails(fd)) return -1;
    return synced(fd, real(fd));
}

int fdatasync(int fd) {
    REAL(fdatasync);
    if (file_fails(fd)) return -1;
    return synced(fd, real(fd));
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (path_fails(to)) return -1;
    int done = real(from, to);
    char one[PATH_MAX], other[PATH_MAX];
    const char *before = done ? NULL : below(from, one), *after = done ? NULL : below(to, other);
    if (before && after) note(RENAME, before, after, strlen(after), 0);
    return done;
}

int unlink(const char *path) {
    REAL(unlink);
    if (path_fails(path)) return -1;
    int done = real(path);
    char whole[PATH_MAX];
    const char *name = done ? NULL : below(path, whole);
    if (name) note(REMOVE, name, NULL, 0, 0);
    return done;
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    char whole[PATH_MAX], where[PATH_MAX], copy[PATH_MAX];
    const char *name = NULL;
    if (folder == AT_FDCWD || path[0] == '/') {
        name = below(path, whole);
    } else {
        const char *in = of_file(folder, where);
        if (in) {
            snprintf(copy, sizeof copy, "%s%s%s", in, in[0] ? "/" : "", path);
            name = copy;
        }
    }
    if (fails(name)) return -1;
    int done = real(folder, path, flags);
    if (!done && name) note(flags & AT_REMOVEDIR ? NO_FOLDER : REMOVE, name, NULL, 0, 0);
    return done;
}

int rmdir(const char *path) {
    REAL(rmdir);
    if (path_fails(path)) return -1;
    int done = real(path);
    char whole[PATH_MAX];
    const char *name = done ? NULL : below(path, whole);
    if (name) note(NO_FOLDER, name, NULL, 0, 0);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (path_fails(path)) return -1;
    int done = real(path, mode);
    char whole[PATH_MAX];
    const char *name = done ? NULL : below(path, whole);
    if (name) note(FOLDER, name, NULL, 0, 0);
    return done;
}
