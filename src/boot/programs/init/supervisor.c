/* Process 1 of a machine whose image has no init: one main process, started as the image's configuration says. */
#include "system.h"

enum { MOST_ARGUMENTS = 1024, MOST_BUTTONS = 16, MOST_GROUPS = 64, LEAST_DELAY = 100, MOST_DELAY = 60000 };

static const char *arguments[MOST_ARGUMENTS + 1], *environment[MOST_ARGUMENTS + 1];
static i64 main_process;
static u64 started, delay = LEAST_DELAY, next_start, kill_at;
static u32 restarts, after = REBOOT_POWER_OFF;
static int stopping;
static struct pollfd polls[2 + 8 + MOST_BUTTONS];

/* struct input_event of linux/input.h */
struct event {
  u64 time[2];
  u16 type, code;
  int value;
};
enum { EV_KEY = 1, KEY_POWER = 116 };

static void list(const char *key, const char **values) {
  u32 count = 0;
  while (count < MOST_ARGUMENTS && (values[count] = setting(key, count)) != 0) count++;
  values[count] = 0;
}

static void set_kernel(const char *path, const char *value) {
  i64 file = call3(SYS_open, path, O_WRONLY | O_CLOEXEC, 0);
  if (file < 0) return;
  call3(SYS_write, file, value, length_of(value));
  close_file((int)file);
}

static void mount_all(void) {
  make_directories("/dev/pts", 0755);
  make_directories("/dev/shm", 01777);
  make_directories("/dev/mqueue", 0755);
  make_directories("/run", 0755);
  make_directories("/tmp", 01777);
  call5(SYS_mount, "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
  call5(SYS_mount, "tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  call5(SYS_mount, "mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
  call5(SYS_mount, "tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
  call5(SYS_mount, "cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
  call2(SYS_symlink, "/proc/self/fd", "/dev/fd");
  call2(SYS_symlink, "/proc/self/fd/0", "/dev/stdin");
  call2(SYS_symlink, "/proc/self/fd/1", "/dev/stdout");
  call2(SYS_symlink, "/proc/self/fd/2", "/dev/stderr");
}

/*
 * Hypervisors that have no button (Hyper-V, Xen) make the kernel run /sbin/poweroff, which an image need not have: this very
 * program does it, run as another process than 1.
 */
static void offer_power_off(void) {
  static u8 program[64 << 10];
  const char *path = "/run/transload-poweroff";
  u64 size = read_file("/proc/self/exe", program, sizeof program);
  i64 file = call3(SYS_open, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
  if (file < 0) return;
  call3(SYS_write, file, program, size);
  close_file((int)file);
  set_kernel("/proc/sys/kernel/poweroff_cmd", path);
}

static void set_up(void) {
  char line[512];
  const char *name = setting("hostname", 0), *volume;
  if (name != 0 && length_of(name) < 65) {
    call2(SYS_sethostname, name, length_of(name));
    if (read_file("/etc/hosts", line, 1) == 0) {
      append(append(append(line, "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t"), name), "\n");
      call2(SYS_mkdir, "/etc", 0755);
      write_file("/etc/hosts", line);
    }
  }
  for (u32 index = 0; (volume = setting("volume", index)) != 0; index++) make_directories(volume, 0755);
  /* As container engines do: the image may say port 80 and a user. */
  set_kernel("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  offer_power_off();
}

/* The rest of the path search of execvp(3), as the user that runs it. */
static void execute(void) {
  char path[4096];
  const char *name = arguments[0], *folders = 0;
  i64 result = call3(SYS_execve, name, arguments, environment);
  u64 size = length_of(name);
  for (u32 index = 0; environment[index] != 0; index++) {
    const char *value = behind(environment[index], "PATH=");
    if (value != 0) folders = value;
  }
  for (u64 at = 0; at < size; at++)
    if (name[at] == '/') folders = 0;
  while (folders != 0) {
    u64 length = 0;
    while (folders[length] != 0 && folders[length] != ':') length++;
    if (length + size + 2 < sizeof path) {
      copy(path, folders, length);
      if (length > 0) path[length] = '/';
      append(path + length + (length > 0), name);
      i64 next = call3(SYS_execve, path, arguments, environment);
      if (next != -ENOENT && next != -ENOTDIR) result = next;
    }
    folders = folders[length] == ':' ? folders + length + 1 : 0;
  }
  char line[300], number[12];
  append_number(number, (u32)-result);
  append(append(append(append(line, "init: cannot run "), size < 200 ? name : "the main process"), ": error "), number);
  append(line + length_of(line), "\n");
  call3(SYS_write, 2, line, length_of(line));
  call1(SYS_exit, result == -ENOENT ? 127 : 126);
}

static void become_main_process(void) {
  u64 none = 0;
  u32 groups[MOST_GROUPS], count = 0;
  const char *group, *folder = setting("workdir", 0);
  int terminal = terminal_for_child();
  call4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
  call0(SYS_setsid);
  if (terminal >= 0) {
    call3(SYS_ioctl, terminal, 0x540e /* TIOCSCTTY */, 0);
    for (int file = 0; file < 3; file++) call2(SYS_dup2, terminal, file);
  }
  if (folder != 0) {
    make_directories(folder, 0755);
    call1(SYS_chdir, folder);
  }
  while (count < MOST_GROUPS && (group = setting("group", count)) != 0) groups[count++] = number_of(group);
  call2(SYS_setgroups, count, groups);
  call1(SYS_setgid, number_of(setting("gid", 0)));
  if (call1(SYS_setuid, number_of(setting("uid", 0))) == 0) execute();
  call1(SYS_exit, 126);
}

static void start(void) {
  next_start = 0;
  started = milliseconds_now();
  main_process = call0(SYS_fork);
  if (main_process == 0) become_main_process();
  if (main_process < 0) next_start = started + 1000;
}

static void reap_for(u64 milliseconds) {
  for (u64 end = milliseconds_now() + milliseconds; milliseconds_now() < end; sleep_milliseconds(20)) {
    i64 found;
    while ((found = call4(SYS_wait4, -1, 0, 1 /* WNOHANG */, 0)) > 0) continue;
    drain_terminal();
    if (found == -ECHILD) return;
  }
}

static void leave(void) {
  call2(SYS_kill, -1, SIGTERM);
  reap_for(5000);
  call2(SYS_kill, -1, SIGKILL);
  reap_for(2000);
  call0(SYS_sync);
  if (call5(SYS_mount, 0, "/", 0, MS_REMOUNT | MS_RDONLY, 0) < 0) say("the root is still in use", 0, 0);
  call0(SYS_sync);
  say(after == REBOOT_RESTART ? "restarting" : "power off", 0, 0);
  /* The serial line has to send it. */
  sleep_milliseconds(50);
  restart_machine(after);
  for (;;) sleep_milliseconds(1000);
}

static void stop(const char *why, u32 then) {
  if (stopping) {
    call2(SYS_kill, main_process, SIGKILL);
    return;
  }
  say(why, 0, 0);
  stopping = 1;
  after = then;
  if (main_process <= 0) leave();
  kill_at = milliseconds_now() + 1000 * number_of(setting("stop-timeout", 0));
  call2(SYS_kill, main_process, number_of(setting("stop-signal", 0)));
}

/* `status` is that of wait(2). Docker's policies: a failure is an exit code other than 0, or a signal. */
static void main_process_ended(u32 status) {
  char text[32], limit_reached = 0;
  const char *policy = setting("restart", 0), *limit = setting("restart-limit", 0);
  u32 signal = status & 0x7f, code = status >> 8 & 0xff;
  drain_terminal();
  append_number(append(text, signal ? "by signal " : "with "), signal ? signal : code);
  say("the main process ended ", text, 0);
  main_process = 0;
  if (limit != 0 && restarts >= number_of(limit)) limit_reached = 1;
  int again = policy != 0 && (same(policy, "always") || (same(policy, "on-failure") && status != 0)) && !limit_reached;
  if (stopping || !again) leave();
  restarts++;
  if (milliseconds_now() - started > 10000) delay = LEAST_DELAY;
  next_start = milliseconds_now() + delay;
  delay = delay * 2 > MOST_DELAY ? MOST_DELAY : delay * 2;
}

static void reap(void) {
  u32 status = 0;
  i64 found;
  while ((found = call4(SYS_wait4, -1, &status, 1 /* WNOHANG */, 0)) > 0)
    if (found == main_process) main_process_ended(status);
}

/* What busybox, sysvinit and systemd send to process 1; anything else is for the main process. */
static void take_signal(int signals) {
  u32 information[32];
  if (call3(SYS_read, signals, information, sizeof information) != sizeof information) return;
  u32 number = information[0];
  if (number == SIGCHLD) reap();
  else if (number == SIGINT || number == SIGTERM || number == SIGRTMIN + 5) stop("restart asked for", REBOOT_RESTART);
  else if (number == SIGPWR || number == SIGUSR1 || number == SIGUSR2 || number == SIGRTMIN + 3 || number == SIGRTMIN + 4)
    stop("power off asked for", REBOOT_POWER_OFF);
  else if (main_process > 0) call2(SYS_kill, main_process, number);
}

/* Every input device with a power key: keyboards have one as well as the button of ACPI. */
static u32 watch_buttons(struct pollfd *free) {
  u32 count = 0;
  char path[32];
  u8 keys[96];
  for (u32 number = 0; number < 32 && count < MOST_BUTTONS; number++) {
    append_number(append(path, "/dev/input/event"), number);
    i64 file = call3(SYS_open, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    if (file < 0) continue;
    fill(keys, 0, sizeof keys);
    call3(SYS_ioctl, file, 0x80604521 /* EVIOCGBIT(EV_KEY, 96) */, keys);
    if (keys[KEY_POWER / 8] & 1 << KEY_POWER % 8) free[count++] = (struct pollfd){(int)file, POLLIN, 0};
    else close_file((int)file);
  }
  return count;
}

static void take_button(int file) {
  struct event event;
  while (call3(SYS_read, file, &event, sizeof event) == sizeof event)
    if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) stop("power button", REBOOT_POWER_OFF);
}

/* Milliseconds until something is due; -1 for never. */
static i64 patience(void) {
  u64 due = stopping ? kill_at : next_start, now = milliseconds_now();
  if (due == 0) return -1;
  return due > now ? (i64)(due - now) : 0;
}

void supervise(void) {
  u64 all = ~0UL;
  call4(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, 0, 8);
  int signals = (int)call4(SYS_signalfd4, -1, &all, 8, O_CLOEXEC | O_NONBLOCK);
  restart_machine(REBOOT_CAD_OFF);
  mount_all();
  open_consoles();
  set_up();
  start_network();
  list("argument", arguments);
  list("environment", environment);
  polls[0] = (struct pollfd){signals, POLLIN, 0};
  u32 buttons = watch_buttons(polls + 1);
  start();
  for (;;) {
    struct pollfd *consoles = polls + 1 + buttons;
    u32 count = 1 + buttons + watch_consoles(consoles);
    call3(SYS_poll, polls, count, patience());
    for (u32 index = 1; index <= buttons; index++)
      if (polls[index].revents & POLLIN) take_button(polls[index].fd);
    serve_consoles(consoles);
    if (polls[0].revents & POLLIN) take_signal(signals);
    u64 now = milliseconds_now();
    if (stopping && kill_at != 0 && now >= kill_at) {
      say("the main process does not stop and is killed", 0, 0);
      kill_at = 0;
      call2(SYS_kill, main_process, SIGKILL);
    }
    if (!stopping && next_start != 0 && now >= next_start) start();
  }
}
