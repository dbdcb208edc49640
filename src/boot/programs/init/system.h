/* Linux x86-64 without a C library: system calls, and the numbers and structures of the kernel's interface that are used. */
#ifndef SYSTEM_H
#define SYSTEM_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

static inline i64 call6(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
  register i64 r10 __asm__("r10") = d;
  register i64 r8 __asm__("r8") = e;
  register i64 r9 __asm__("r9") = f;
  i64 result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#define call0(n) call6(n, 0, 0, 0, 0, 0, 0)
#define call1(n, a) call6(n, (i64)(a), 0, 0, 0, 0, 0)
#define call2(n, a, b) call6(n, (i64)(a), (i64)(b), 0, 0, 0, 0)
#define call3(n, a, b, c) call6(n, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)
#define call4(n, a, b, c, d) call6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)
#define call5(n, a, b, c, d, e) call6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), 0)

enum {
  SYS_read = 0,
  SYS_write = 1,
  SYS_open = 2,
  SYS_close = 3,
  SYS_poll = 7,
  SYS_rt_sigprocmask = 14,
  SYS_ioctl = 16,
  SYS_pread = 17,
  SYS_access = 21,
  SYS_dup2 = 33,
  SYS_nanosleep = 35,
  SYS_getpid = 39,
  SYS_socket = 41,
  SYS_sendto = 44,
  SYS_recvfrom = 45,
  SYS_bind = 49,
  SYS_setsockopt = 54,
  SYS_fork = 57,
  SYS_execve = 59,
  SYS_exit = 60,
  SYS_wait4 = 61,
  SYS_kill = 62,
  SYS_chdir = 80,
  SYS_rename = 82,
  SYS_mkdir = 83,
  SYS_unlink = 87,
  SYS_symlink = 88,
  SYS_setuid = 105,
  SYS_setgid = 106,
  SYS_setsid = 112,
  SYS_setgroups = 116,
  SYS_chroot = 161,
  SYS_sync = 162,
  SYS_mount = 165,
  SYS_reboot = 169,
  SYS_sethostname = 170,
  SYS_getdents64 = 217,
  SYS_clock_gettime = 228,
  SYS_signalfd4 = 289,
  SYS_pipe2 = 293,
  SYS_finit_module = 313,
};

enum {
  O_RDONLY = 0,
  O_WRONLY = 1,
  O_RDWR = 2,
  O_CREAT = 0x40,
  O_NOCTTY = 0x100,
  O_TRUNC = 0x200,
  O_NONBLOCK = 0x800,
  O_DIRECTORY = 0x10000,
  O_CLOEXEC = 0x80000,
};

enum { ENOENT = 2, EINTR = 4, EAGAIN = 11, EACCES = 13, EEXIST = 17, ENOTDIR = 20, ENOEXEC = 8, ECHILD = 10 };

enum {
  SIGHUP = 1,
  SIGINT = 2,
  SIGKILL = 9,
  SIGUSR1 = 10,
  SIGUSR2 = 12,
  SIGTERM = 15,
  SIGCHLD = 17,
  SIGPWR = 30,
  SIGRTMIN = 34,
};

enum { MS_RDONLY = 1, MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8, MS_REMOUNT = 32, MS_MOVE = 8192 };

enum { POLLIN = 1, POLLOUT = 4 };

struct pollfd {
  int fd;
  short events, revents;
};

/* linux/reboot.h */
enum { REBOOT_CAD_OFF = 0, REBOOT_RESTART = 0x1234567, REBOOT_POWER_OFF = 0x4321fedc };

static inline void restart_machine(u32 how) { call4(SYS_reboot, 0xfee1dead, 672274793, how, 0); }
static inline void close_file(int file) { call1(SYS_close, file); }

/* text.c */
u64 length_of(const char *text);
int same(const char *one, const char *other);
/* What stands behind `start` in `text`, or 0 where it does not begin with it. */
const char *behind(const char *text, const char *start);
/* Appends and gives the new end; the caller has room for it. */
char *append(char *end, const char *text);
char *append_number(char *end, u32 number);
u32 number_of(const char *text);
void fill(void *to, u8 value, u64 size);
void copy(void *to, const void *from, u64 size);
void sleep_milliseconds(u64 milliseconds);
/* Since the start of the machine, times asleep included. */
u64 milliseconds_now(void);
void make_directories(const char *path, u32 mode);
/* Replaces the file, or what its name is a link to. */
void write_file(const char *path, const char *text);
/* Bytes read, at most `size`; 0 for what cannot be read. */
u64 read_file(const char *path, void *to, u64 size);
/* Calls `visit` for the names in a directory until it answers something else than 0, and answers that. */
int each_name(const char *directory, int (*visit)(const char *name));

/* config.c: records `key=value`, each ended by a NUL, in the file /config of the initramfs */
void read_config(void);
/* The value of the record number `index` of that key, from 0; 0 where there are not so many. */
const char *setting(const char *key, u32 index);

/* console.c */
void open_consoles(void);
/* A line of our own on every console: up to three parts, each of which may be 0. */
void say(const char *one, const char *two, const char *three);
/* The side of the terminal that the main process gets, or -1. */
int terminal_for_child(void);
/* Adds what is to be waited for, and answers how many. */
u32 watch_consoles(struct pollfd *polls);
void serve_consoles(const struct pollfd *polls);
/* Shows what the main process wrote last. */
void drain_terminal(void);

/* network.c */
/* Starts one client for each network card; waits some seconds for the first address. */
void start_network(void);

/* root.c */
/* Modules, the root file system, and the move into it. */
void enter_root(void);

/* supervisor.c */
void supervise(void) __attribute__((noreturn));

#endif
