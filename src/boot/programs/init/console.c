/*
 * The screen and the serial line show the same: the main process has a terminal of its own, and what it writes goes to every
 * console of the kernel, whichever the machine has; what is typed on any of them goes to the main process.
 */
#include "system.h"

enum { MOST_CONSOLES = 4 };

/* asm-generic/termbits.h */
struct termios {
  u32 input, output, control, local;
  u8 line, characters[19];
};

enum { TCGETS = 0x5401, TCSETS = 0x5402, TIOCSWINSZ = 0x5414, TIOCGPTN = 0x80045430, TIOCSPTLCK = 0x40045431 };

static int consoles[MOST_CONSOLES];
/* Nobody takes what is written there, so nobody waits for it. */
static u8 stuck[MOST_CONSOLES];
static u32 console_count;
static int master = -1, slave = -1;

/* As it comes and as it goes: the terminal of the main process does the editing. */
static void make_raw(int file) {
  struct termios settings;
  if (call3(SYS_ioctl, file, TCGETS, &settings) < 0) return;
  settings.input = 0;
  settings.output = 0;
  settings.local = 0;
  settings.characters[5] = 0; /* VTIME */
  settings.characters[6] = 1; /* VMIN */
  call3(SYS_ioctl, file, TCSETS, &settings);
}

static void open_terminal(void) {
  u32 number = 0, unlocked = 0;
  char path[32];
  u16 size[4] = {25, 80, 0, 0};
  master = (int)call3(SYS_open, "/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
  if (master < 0) return;
  call3(SYS_ioctl, master, TIOCSPTLCK, &unlocked);
  call3(SYS_ioctl, master, TIOCGPTN, &number);
  append_number(append(path, "/dev/pts/"), number);
  /* It stays open here too, so that the terminal outlives the process and serves the next one. */
  slave = (int)call3(SYS_open, path, O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
  call3(SYS_ioctl, master, TIOCSWINSZ, size);
}

/* The names that the kernel writes its messages to: "tty0 ttyS0". */
void open_consoles(void) {
  char names[256], path[300];
  u64 size = read_file("/sys/class/tty/console/active", names, sizeof names - 1), start = 0;
  for (u64 at = 0; at <= size && console_count < MOST_CONSOLES; at++) {
    if (at < size && names[at] != ' ' && names[at] != '\n') continue;
    names[at] = 0;
    if (at > start) {
      append(append(path, "/dev/"), names + start);
      i64 file = call3(SYS_open, path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
      if (file >= 0) {
        make_raw((int)file);
        consoles[console_count++] = (int)file;
      }
    }
    start = at + 1;
  }
  open_terminal();
}

static void write_console(u32 index, const char *bytes, u64 size) {
  while (size > 0) {
    i64 written = call3(SYS_write, consoles[index], bytes, size);
    if (written == -EINTR) continue;
    if (written < 0) {
      struct pollfd ready = {consoles[index], POLLOUT, 0};
      if (written != -EAGAIN || stuck[index] || call3(SYS_poll, &ready, 1, 1000) <= 0) {
        stuck[index] = 1;
        return;
      }
      continue;
    }
    stuck[index] = 0;
    bytes += written;
    size -= (u64)written;
  }
}

static void show(const char *bytes, u64 size) {
  for (u32 index = 0; index < console_count; index++) write_console(index, bytes, size);
}

void say(const char *one, const char *two, const char *three) {
  char line[1024];
  const char *parts[3] = {one, two, three};
  char *end = append(line, "init: ");
  for (u32 index = 0; index < 3; index++)
    if (parts[index] != 0 && (u64)(end - line) + length_of(parts[index]) < sizeof line - 4) end = append(end, parts[index]);
  end = append(end, "\r\n");
  if (console_count > 0) show(line, (u64)(end - line));
  else call3(SYS_write, 2, line, (u64)(end - line));
}

int terminal_for_child(void) { return slave; }

u32 watch_consoles(struct pollfd *polls) {
  u32 count = 0;
  if (master < 0) return 0;
  polls[count++] = (struct pollfd){master, POLLIN, 0};
  for (u32 index = 0; index < console_count; index++) polls[count++] = (struct pollfd){consoles[index], POLLIN, 0};
  return count;
}

void drain_terminal(void) {
  char bytes[4096];
  i64 size;
  while (master >= 0 && (size = call3(SYS_read, master, bytes, sizeof bytes)) > 0) show(bytes, (u64)size);
}

void serve_consoles(const struct pollfd *polls) {
  char bytes[4096];
  if (master < 0) return;
  if (polls[0].revents & POLLIN) {
    /* One piece at a time: what writes without end must not keep the power button waiting. */
    i64 size = call3(SYS_read, master, bytes, sizeof bytes);
    if (size > 0) show(bytes, (u64)size);
  }
  for (u32 index = 0; index < console_count; index++) {
    if (polls[1 + index].revents == 0) continue;
    i64 size = polls[1 + index].revents & POLLIN ? call3(SYS_read, consoles[index], bytes, sizeof bytes) : 0;
    if (size > 0) {
      call3(SYS_write, master, bytes, size);
    } else if (size != -EAGAIN) {
      /* A serial line that is not there: it is never ready again. */
      close_file(consoles[index]);
      consoles[index] = consoles[--console_count];
      stuck[index] = stuck[console_count];
      return;
    }
  }
}
