/* Preloaded into each program that compiles a kernel: what these start comes from the toolchain, never from the host.

   A program is started through the toolchain's own dynamic loader, which this library goes along with (ld.so(8)). What
   names a directory of the host's programs (/bin/sh, #!/usr/bin/env) means the toolchain's program of that name. What
   is started past this library meets the confinement.

   The kernel that runs here and this machine's name are not to be seen: uname(2) tells of another. Nor is /proc: of a
   program's own mappings, the stack is told.

   Compiled with ROOT (the toolchain's directory), CHOSEN (another one with programs), LOADER, LIBRARIES (search path),
   SELF (this library) and RELEASE (of the kernel that uname(2) tells), as strings, and MACHINE, the number of its ELF
   architecture. Between fork and exec nothing here allocates memory, as after vfork(2) it is the parent's. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL ROOT "/usr/bin/sh"
#define NODE "assembler"
#define MOST_SCRIPTS 4
#define MORE_ARGUMENTS 16
#define HEAD 4096

extern char **environ;

typedef int start_function(void *how, const char *path, char **argv, char **envp);

static int (*real_uname)(struct utsname *);
static int (*real_execve)(const char *, char *const *, char *const *);
static int (*real_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                         char *const *, char *const *);

__attribute__((constructor)) static void find_real(void) {
    real_uname = (int (*)(struct utsname *))dlsym(RTLD_NEXT, "uname");
    real_execve = (int (*)(const char *, char *const *, char *const *))dlsym(RTLD_NEXT, "execve");
    real_spawn = (int (*)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                          char *const *, char *const *))dlsym(RTLD_NEXT, "posix_spawn");
}

/* The toolchain's program for one that lies where hosts have theirs; all else stays. */
static const char *translate(const char *path, char out[PATH_MAX]) {
    static const char *const places[] = {"/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/"};
    static const char *const own[] = {ROOT "/usr/bin", ROOT "/usr/sbin", CHOSEN};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t length = strlen(places[i]);
        if (strncmp(path, places[i], length) || !path[length] || strchr(path + length, '/'))
            continue;
        for (size_t j = 0; j < sizeof own / sizeof *own; j++) {
            snprintf(out, PATH_MAX, "%s/%s", own[j], path + length);
            if (!access(out, F_OK))
                break;
        }
        return out;
    }
    return path;
}

/* Whether a file that begins with these bytes is a program for the dynamic loader. */
static int is_dynamic(const unsigned char *head, ssize_t size) {
    Elf64_Ehdr file;
    if (size < (ssize_t)sizeof file || memcmp(head, ELFMAG, SELFMAG) || head[EI_CLASS] != ELFCLASS64)
        return 0;
    memcpy(&file, head, sizeof file);
    if (file.e_machine != MACHINE || file.e_phentsize != sizeof(Elf64_Phdr))
        return 0;
    for (unsigned i = 0; i < file.e_phnum; i++) {
        Elf64_Phdr part;
        if (file.e_phoff + (i + 1) * sizeof part > (size_t)size)
            return 0;
        memcpy(&part, head + file.e_phoff + i * sizeof part, sizeof part);
        if (part.p_type == PT_INTERP)
            return 1;
    }
    return 0;
}

/* Start `path` by `start`, which gets what is really to be executed; returns an error number, or what `start` does. */
static int launch(const char *path, char *const argv[], char *const envp[], start_function *start, void *how,
                  int depth) {
    char place[PATH_MAX];
    unsigned char head[HEAD + 1];
    size_t count = 0;
    while (argv[count])
        count++;
    char *with[count + MORE_ARGUMENTS];
    size_t used = 0;
    path = translate(path, place);
    if (access(path, X_OK))
        return errno;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return start(how, path, (char **)argv, (char **)envp);
    ssize_t size = read(file, head, HEAD);
    close(file);
    if (size < 0)
        return start(how, path, (char **)argv, (char **)envp);
    head[size] = 0;
    if (size > 2 && head[0] == '#' && head[1] == '!') {
        if (depth == MOST_SCRIPTS)
            return ELOOP;
        char *line = (char *)head + 2, *end = strchr(line, '\n');
        if (!end)
            return ENOEXEC;
        while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        *end = 0;
        line += strspn(line, " \t");
        if (!*line)
            return ENOEXEC;
        char *argument = line + strcspn(line, " \t");
        if (*argument) {
            *argument++ = 0;
            argument += strspn(argument, " \t");
        }
        with[used++] = line;
        if (*argument)
            with[used++] = argument;
        with[used++] = (char *)path;
        for (size_t i = 1; i < count; i++)
            with[used++] = argv[i];
        with[used] = NULL;
        return launch(line, with, envp, start, how, depth + 1);
    }
    if (!is_dynamic(head, size))
        return start(how, path, (char **)argv, (char **)envp);
    with[used++] = LOADER;
    with[used++] = "--inhibit-cache";
    with[used++] = "--library-path";
    with[used++] = LIBRARIES;
    with[used++] = "--preload";
    with[used++] = SELF;
    with[used++] = "--argv0";
    with[used++] = count ? argv[0] : (char *)path;
    with[used++] = (char *)path;
    for (size_t i = 1; i < count; i++)
        with[used++] = argv[i];
    with[used] = NULL;
    return start(how, LOADER, with, (char **)envp);
}

/* The same for `name` as execvp(3) finds it: in PATH, and by the shell when it is no program that the kernel knows. */
static int launch_found(const char *name, char *const argv[], char *const envp[], start_function *start, void *how) {
    char place[PATH_MAX];
    const char *search = getenv("PATH");
    int denied = 0, error = ENOENT;
    size_t count = 0;
    while (argv[count])
        count++;
    if (!*name)
        return ENOENT;
    if (strchr(name, '/'))
        search = "";
    else if (!search)
        search = "/bin:/usr/bin";
    for (const char *at = search;; at++) {
        size_t length = strcspn(at, ":");
        if (strchr(name, '/'))
            snprintf(place, sizeof place, "%s", name);
        else if (snprintf(place, sizeof place, "%.*s/%s", length ? (int)length : 1, length ? at : ".", name)
                 >= (int)sizeof place)
            place[0] = 0;
        error = launch(place, argv, envp, start, how, 0);
        if (error == ENOEXEC) {
            char *with[count + 3];
            size_t used = 0;
            with[used++] = "sh";
            with[used++] = place;
            for (size_t i = 1; i < count; i++)
                with[used++] = argv[i];
            with[used] = NULL;
            return launch(SHELL, with, envp, start, how, 0);
        }
        if (error != ENOENT && error != ENOTDIR && error != EACCES)
            return error;
        denied |= error == EACCES;
        at += length;
        if (!*at)
            return denied ? EACCES : error;
    }
}

static int replace(void *how, const char *path, char **argv, char **envp) {
    (void)how;
    real_execve(path, argv, envp);
    return errno;
}

static int failed(int error) {
    errno = error;
    return -1;
}

int execve(const char *path, char *const argv[], char *const envp[]) {
    return failed(launch(path, argv, envp, replace, NULL, 0));
}

int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

int execvpe(const char *file, char *const argv[], char *const envp[]) {
    return failed(launch_found(file, argv, envp, replace, NULL));
}

int execvp(const char *file, char *const argv[]) { return execvpe(file, argv, environ); }

#define LISTED(first, call)                                                                                            \
    va_list list;                                                                                                      \
    size_t count = 1;                                                                                                  \
    va_start(list, first);                                                                                             \
    while (va_arg(list, char *))                                                                                       \
        count++;                                                                                                       \
    va_end(list);                                                                                                      \
    char *argv[count + 1];                                                                                             \
    va_start(list, first);                                                                                             \
    argv[0] = (char *)first;                                                                                           \
    for (size_t i = 1; i <= count; i++)                                                                                \
        argv[i] = va_arg(list, char *);                                                                                \
    int result = call;                                                                                                 \
    va_end(list);                                                                                                      \
    return result

int execl(const char *path, const char *first, ...) { LISTED(first, execve(path, argv, environ)); }

int execlp(const char *file, const char *first, ...) { LISTED(first, execvpe(file, argv, environ)); }

int execle(const char *path, const char *first, ...) { LISTED(first, execve(path, argv, va_arg(list, char **))); }

struct spawning {
    pid_t *process;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
};

static int spawn(void *how, const char *path, char **argv, char **envp) {
    struct spawning *as = how;
    return real_spawn(as->process, path, as->actions, as->attributes, argv, envp);
}

int posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    struct spawning how = {process, actions, attributes};
    return launch(path, argv, envp, spawn, &how, 0);
}

int posix_spawnp(pid_t *process, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    struct spawning how = {process, actions, attributes};
    return launch_found(file, argv, envp, spawn, &how);
}

int uname(struct utsname *found) {
    int status = real_uname(found);
    if (!status) {
        strcpy(found->nodename, NODE);
        strcpy(found->release, RELEASE);
        strcpy(found->version, "#1");
    }
    return status;
}

int gethostname(char *name, size_t size) {
    if (size < sizeof NODE)
        return failed(ENAMETOOLONG);
    strcpy(name, NODE);
    return 0;
}

/* objtool of Linux 7.2 looks for its stack there, to tell an overflow. On it come the program's name, as execve(2) was
   given it, and eight bytes last. */
static FILE *stack(void) {
    static char line[80];
    const char *name = (const char *)getauxval(AT_EXECFN);
    unsigned long page = sysconf(_SC_PAGESIZE), end = (unsigned long)name + strlen(name) + 1 + 8;
    int size = snprintf(line, sizeof line, "%lx-%lx rw-p 00000000 00:00 0 [stack]\n", (unsigned long)&name / page * page,
                        (end + page - 1) / page * page);
    return fmemopen(line, size, "r");
}

#define OPENED(function)                                                                                               \
    FILE *function(const char *path, const char *mode) {                                                               \
        FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, #function); \
        return strcmp(path, "/proc/self/maps") ? real(path, mode) : stack();                                           \
    }
OPENED(fopen)
OPENED(fopen64)

/* glibc's own system(3) and popen(3) start /bin/sh where nothing can come between. */

static int shell(pid_t *process, const char *command, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes) {
    char *argv[] = {"sh", "-c", "--", (char *)command, NULL};
    return posix_spawn(process, SHELL, actions, attributes, argv, environ);
}

static int waited(pid_t process) {
    int status;
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

int system(const char *command) {
    if (!command)
        return 1;
    struct sigaction ignored = {.sa_handler = SIG_IGN}, interrupt, quit;
    sigset_t blocked, before, defaults;
    posix_spawnattr_t attributes;
    pid_t process;
    sigemptyset(&ignored.sa_mask);
    sigemptyset(&blocked);
    sigemptyset(&defaults);
    sigaddset(&blocked, SIGCHLD);
    sigaction(SIGINT, &ignored, &interrupt);
    sigaction(SIGQUIT, &ignored, &quit);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    if (interrupt.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (quit.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &before);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int status = shell(&process, command, NULL, &attributes) ? 127 << 8 : waited(process);
    posix_spawnattr_destroy(&attributes);
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

struct opened {
    struct opened *next;
    FILE *stream;
    int descriptor;
    pid_t process;
};

static struct opened *all_opened;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

FILE *popen(const char *command, const char *mode) {
    int reads = mode[0] == 'r', ends[2];
    posix_spawn_file_actions_t actions;
    struct opened *made;
    if ((!reads && mode[0] != 'w') || (mode[1] && (mode[1] != 'e' || mode[2]))) {
        errno = EINVAL;
        return NULL;
    }
    if (!(made = malloc(sizeof *made)))
        return NULL;
    if (pipe2(ends, O_CLOEXEC)) {
        free(made);
        return NULL;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[reads], reads);
    pthread_mutex_lock(&opening);
    /* POSIX: streams of earlier calls are closed in the new process. */
    for (struct opened *other = all_opened; other; other = other->next)
        if (other->descriptor != reads)
            posix_spawn_file_actions_addclose(&actions, other->descriptor);
    int error = shell(&made->process, command, &actions, NULL);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[reads]);
    made->stream = error ? NULL : fdopen(ends[!reads], mode);
    if (made->stream) {
        if (!mode[1])
            fcntl(ends[!reads], F_SETFD, 0);
        made->descriptor = ends[!reads];
        made->next = all_opened;
        all_opened = made;
    }
    pthread_mutex_unlock(&opening);
    FILE *stream = made->stream;
    if (!stream) {
        close(ends[!reads]);
        free(made);
        if (error)
            errno = error;
    }
    return stream;
}

int pclose(FILE *stream) {
    struct opened **at, *found;
    pthread_mutex_lock(&opening);
    for (at = &all_opened; *at && (*at)->stream != stream; at = &(*at)->next)
        ;
    found = *at;
    if (found)
        *at = found->next;
    pthread_mutex_unlock(&opening);
    if (!found)
        return failed(ECHILD);
    pid_t process = found->process;
    free(found);
    fclose(stream);
    return waited(process);
}
