/* Preloaded into a service under test: a shadow copy of what would survive a power cut, and a clock that can be set.

   SHIM_SHADOW   directory that gets a copy of each file below SHIM_DATA as it was when it was last synced. It is made
                 before the sync, so that nothing written meanwhile is taken for synced, and counts once that returned.
                 Removing and renaming take effect there at once: a file that is lost early is the harder case.
   SHIM_DATA     the data directory.
   SHIM_CLOCK    file that holds, as a 64-bit integer, how many seconds the wall clock is off. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *data_dir, *shadow_dir;
static const volatile long long *offset;

__attribute__((constructor)) static void start(void) {
    data_dir = getenv("SHIM_DATA");
    shadow_dir = getenv("SHIM_SHADOW");
    const char *clock_file = getenv("SHIM_CLOCK");
    int fd = clock_file ? open(clock_file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
        offset = page == MAP_FAILED ? NULL : page;
        close(fd);
    }
}

#define ROOM (2 * PATH_MAX)

/* Where the shadow of a file is; 0 for a file that has none. */
static int shadow_of(const char *path, char *shadow) {
    size_t below = data_dir ? strlen(data_dir) : 0;
    if (!shadow_dir || !data_dir || strncmp(path, data_dir, below) || path[below] != '/') return 0;
    snprintf(shadow, ROOM, "%s%s", shadow_dir, path + below);
    for (char *slash = shadow + strlen(shadow_dir) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(shadow, 0700);
    }
    return 1;
}

/* Copy what fd names into a draft beside its shadow; 0 where there is nothing to copy. */
static int draw(int fd, char *draft, char *shadow) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    struct stat status;
    if (length < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode)) return 0;
    path[length] = 0;
    if (!shadow_of(path, shadow)) return 0;
    snprintf(draft, ROOM + 32, "%s.draft-%ld", shadow, (long)syscall(SYS_gettid));
    /* By the descriptor itself where it can be read: to close another one of the same file would drop the locks that
       SQLite has on it (fcntl(2)), and another process would take itself for the last and remove the log. */
    int readable = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY;
    int from = readable ? fd : open(path, O_RDONLY | O_CLOEXEC);
    int to = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char buffer[1 << 16];
    off_t at = 0;
    ssize_t got;
    while (from >= 0 && to >= 0 && (got = pread(from, buffer, sizeof buffer, at)) > 0) {
        if (write(to, buffer, got) != got) abort();
        at += got;
    }
    if (from >= 0 && !readable) close(from);
    if (to >= 0) close(to);
    return from >= 0 && to >= 0;
}

static int synced(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    char draft[ROOM + 32], shadow[ROOM];
    int drawn = draw(fd, draft, shadow), result = real(fd);
    if (drawn && (result ? unlink(draft) : rename(draft, shadow))) abort();
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

int unlink(const char *path) {
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    char shadow[ROOM];
    int result = real(path);
    if (!result && shadow_of(path, shadow)) real(shadow);
    return result;
}

int rename(const char *old, const char *new) {
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    char old_shadow[ROOM], new_shadow[ROOM];
    int result = real(old, new);
    if (!result && shadow_of(old, old_shadow) && shadow_of(new, new_shadow)) real(old_shadow, new_shadow);
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (!result && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += *offset;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec time;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
