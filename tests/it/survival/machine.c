/* A machine that fails, for one process: preloaded into the daemon, it makes the wall clock jump, the
 * disk full, writes and syncs fail, and it remembers what a power cut would leave.
 *
 * What is in force stands in a file that the test writes and this library maps: XRPAYD_TEST_MACHINE,
 * whole numbers of eight bytes in the order of `struct orders`. Only the database and its log are
 * touched: files whose names end in ".db" or ".db-wal".
 *
 * XRPAYD_TEST_PLATTER names a folder that holds each such file as the disk has it: what was written
 * and then synced. A sync that fails leaves out what it was asked for, for good, as Linux does: the
 * pages count as clean, and reading them shows what is not on the disk. What is written again is
 * synced again. What a process left unsynced when it died counts as never to be written, the worst
 * that can happen to it. */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct orders {
    int64_t clock_ms;         /* the wall clock is so far ahead */
    int64_t sync_errno;       /* syncs fail with this, unless it is 0 ... */
    int64_t sync_per_mille;   /* ... so often */
    int64_t write_errno;      /* writes fail with this, unless it is 0 ... */
    int64_t write_per_mille;  /* ... so often */
    int64_t space_limited;    /* whether files may only grow by ... */
    int64_t space_left;       /* ... so many bytes more */
    int64_t failures;         /* counted here: calls that were made to fail */
    int64_t page_us;          /* the disk takes so long for a page that is synced */
};

#define PAGE 4096
#define FDS 4096
#define FILES 16

struct range {
    off_t from, to; /* to < 0: cut off at `from` */
};

struct file {
    char name[256];
    struct range *ranges;
    size_t count, room;
};

static struct orders *orders;
static char platter[PATH_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES];
static struct file *of_fd[FDS];
static uint64_t random_state = 0x9E3779B97F4A7C15;

#define REAL(name) ((__typeof__(&name))real_##name())
#define LOOK_UP(name)                                        \
    static void *real_##name(void) {                         \
        static void *found;                                  \
        if (!found) found = dlsym(RTLD_NEXT, #name);         \
        return found;                                        \
    }

LOOK_UP(open)
LOOK_UP(open64)
LOOK_UP(close)
LOOK_UP(unlink)
LOOK_UP(pwrite64)
LOOK_UP(ftruncate64)
LOOK_UP(fsync)
LOOK_UP(fdatasync)
LOOK_UP(clock_gettime)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("XRPAYD_TEST_MACHINE");
    const char *folder = getenv("XRPAYD_TEST_PLATTER");
    if (!path) return;
    int fd = REAL(open64)(path, O_RDWR);
    void *map = fd < 0 ? MAP_FAILED : mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        fprintf(stderr, "the machine's orders cannot be read: %s\n", path);
        abort();
    }
    if (folder) snprintf(platter, sizeof platter, "%s", folder);
    random_state ^= (uint64_t)getpid() << 20;
    orders = map;
}

/* Whether what fails `per_mille` times of a thousand fails now; with the lock held. */
static int fails(int64_t error, int64_t per_mille) {
    if (!error) return 0;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    if ((int64_t)(random_state % 1000) >= per_mille) return 0;
    __atomic_add_fetch(&orders->failures, 1, __ATOMIC_RELAXED);
    return 1;
}

static int ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* The file of a path that is ours; with the lock held. */
static struct file *file_of(const char *path) {
    if (!ends_with(path, ".db") && !ends_with(path, ".db-wal")) return NULL;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    for (int i = 0; i < FILES; i++) {
        if (!files[i].name[0]) snprintf(files[i].name, sizeof files[i].name, "%s", name);
        if (strcmp(files[i].name, name) == 0) return &files[i];
    }
    abort();
}

static int on_platter(const struct file *file, int flags) {
    char path[PATH_MAX + 300];
    snprintf(path, sizeof path, "%s/%s", platter, file->name);
    return REAL(open64)(path, flags, 0600);
}

static void copy(int from_fd, int to_fd, off_t from, off_t to) {
    char page[PAGE];
    for (off_t at = from; at < to; at += PAGE) {
        ssize_t got = pread(from_fd, page, PAGE, at);
        if (orders->page_us) usleep((useconds_t)orders->page_us);
        if (got < 0) abort();
        if (got == 0) return;
        if (REAL(pwrite64)(to_fd, page, (size_t)got, at) != got) abort();
    }
}

static void opened(int fd, const char *path) {
    if (!orders || fd < 0 || fd >= FDS) return;
    pthread_mutex_lock(&lock);
    of_fd[fd] = file_of(path);
    if (of_fd[fd] && platter[0]) {
        /* What is there before anything was synced under our eyes is on the disk. Whoever dies in the
         * middle of this leaves nothing, rather than the half that no disk would hold. */
        char whole[PATH_MAX + 300], half[PATH_MAX + 310];
        snprintf(whole, sizeof whole, "%s/%s", platter, of_fd[fd]->name);
        snprintf(half, sizeof half, "%s.half", whole);
        if (access(whole, F_OK) != 0) {
            struct stat now;
            int disk = REAL(open64)(half, O_RDWR | O_CREAT | O_TRUNC, 0600);
            int readable = REAL(open64)(path, O_RDONLY);
            if (disk < 0 || readable < 0 || fstat(readable, &now) != 0) abort();
            copy(readable, disk, 0, now.st_size);
            REAL(close)(readable);
            REAL(close)(disk);
            if (rename(half, whole) != 0) abort();
        }
    }
    pthread_mutex_unlock(&lock);
}

static struct file *file_at(int fd) {
    return orders && fd >= 0 && fd < FDS ? of_fd[fd] : NULL;
}

static void remember(struct file *file, off_t from, off_t to) {
    if (!platter[0]) return;
    if (file->count == file->room) {
        file->room = file->room ? 2 * file->room : 64;
        file->ranges = realloc(file->ranges, file->room * sizeof *file->ranges);
        if (!file->ranges) abort();
    }
    file->ranges[file->count++] = (struct range){from, to};
}

static void reach_platter(struct file *file, int fd) {
    if (!platter[0] || !file->count) return;
    int disk = on_platter(file, O_RDWR | O_CREAT);
    if (disk < 0) abort();
    for (size_t i = 0; i < file->count; i++) {
        struct range range = file->ranges[i];
        if (range.to >= 0)
            copy(fd, disk, range.from, range.to);
        else if (REAL(ftruncate64)(disk, range.from) != 0)
            abort();
    }
    REAL(close)(disk);
    file->count = 0;
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;
    va_end(more);
    int fd = REAL(open)(path, flags, mode);
    opened(fd, path);
    return fd;
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;
    va_end(more);
    int fd = REAL(open64)(path, flags, mode);
    opened(fd, path);
    return fd;
}

int close(int fd) {
    if (file_at(fd)) of_fd[fd] = NULL;
    return REAL(close)(fd);
}

int unlink(const char *path) {
    int answer = REAL(unlink)(path);
    if (answer == 0 && orders && platter[0]) {
        pthread_mutex_lock(&lock);
        struct file *file = file_of(path);
        if (file) {
            char on_disk[PATH_MAX + 300];
            snprintf(on_disk, sizeof on_disk, "%s/%s", platter, file->name);
            REAL(unlink)(on_disk);
            file->count = 0;
        }
        pthread_mutex_unlock(&lock);
    }
    return answer;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    struct file *file = file_at(fd);
    if (!file) return REAL(pwrite64)(fd, bytes, count, at);
    pthread_mutex_lock(&lock);
    ssize_t written = -1;
    struct stat now;
    if (fails(orders->write_errno, orders->write_per_mille)) {
        errno = (int)orders->write_errno;
        goto done;
    }
    off64_t end = at + (off64_t)count;
    if (orders->space_limited && fstat(fd, &now) == 0 && end > now.st_size) {
        off64_t grows = end - now.st_size;
        if (grows > orders->space_left) {
            /* What still fits is written; the next write finds no room at all. */
            off64_t fits = (off64_t)count - (grows - orders->space_left);
            if (fits <= 0) {
                __atomic_add_fetch(&orders->failures, 1, __ATOMIC_RELAXED);
                errno = ENOSPC;
                goto done;
            }
            count = (size_t)fits;
            grows = orders->space_left;
        }
        orders->space_left -= grows;
    }
    written = REAL(pwrite64)(fd, bytes, count, at);
    if (written > 0) {
        off64_t from = at / PAGE * PAGE;
        remember(file, from, (at + written + PAGE - 1) / PAGE * PAGE);
    }
done:
    pthread_mutex_unlock(&lock);
    return written;
}

int ftruncate64(int fd, off64_t length) {
    struct file *file = file_at(fd);
    int answer = REAL(ftruncate64)(fd, length);
    if (file && answer == 0) {
        pthread_mutex_lock(&lock);
        remember(file, length, -1);
        pthread_mutex_unlock(&lock);
    }
    return answer;
}

static int synced(int fd, int (*sync)(int)) {
    struct file *file = file_at(fd);
    if (!file) return sync(fd);
    pthread_mutex_lock(&lock);
    int answer = -1;
    if (fails(orders->sync_errno, orders->sync_per_mille)) {
        file->count = 0;
        errno = (int)orders->sync_errno;
    } else if ((answer = sync(fd)) == 0) {
        reach_platter(file, fd);
    }
    pthread_mutex_unlock(&lock);
    return answer;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int answer = REAL(clock_gettime)(clock, now);
    if (answer == 0 && orders && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ms = orders->clock_ms;
        now->tv_sec += ms / 1000;
        now->tv_nsec += ms % 1000 * 1000000;
        if (now->tv_nsec < 0) now->tv_sec--, now->tv_nsec += 1000000000;
        if (now->tv_nsec >= 1000000000) now->tv_sec++, now->tv_nsec -= 1000000000;
    }
    return answer;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (into) *into = precise.tv_sec;
    return precise.tv_sec;
}
