/* The time in the initramfs: drivers are loaded, the root file system is found by its UUID and becomes the root. */
#include "system.h"

static u8 wanted[16];
static char device[64];

static u8 hex_digit(char digit) { return digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10; }

static void load_modules(void) {
  const char *path;
  for (u32 index = 0; (path = setting("module", index)) != 0; index++) {
    i64 file = call3(SYS_open, path, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) continue;
    i64 result = call3(SYS_finit_module, file, "", 0);
    close_file(file);
    /* The memory is the machine's again. */
    call1(SYS_unlink, path);
    /* Others have no device here, or need one that has none. */
    if (result == -ENOEXEC) say("not a module of this kernel: ", path, 0);
  }
}

/* Whether the superblock of ext4 on it has the UUID that is wanted. */
static int is_root(const char *name) {
  u8 block[256];
  append(append(device, "/dev/"), length_of(name) < 40 ? name : "");
  i64 file = call3(SYS_open, device, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return 0;
  i64 got = call4(SYS_pread, file, block, sizeof block, 1024);
  close_file(file);
  if (got != sizeof block || block[0x38] != 0x53 || block[0x39] != 0xef) return 0;
  for (u32 at = 0; at < 16; at++)
    if (block[0x68 + at] != wanted[at]) return 0;
  return 1;
}

static int is_possible_root(const char *name) {
  return behind(name, "loop") == 0 && behind(name, "ram") == 0 && is_root(name);
}

static int show(const char *name) {
  say("  there is ", name, 0);
  return 0;
}

static void find_root(void) {
  const char *digit = setting("root", 0);
  for (u32 at = 0; digit != 0 && digit[0] != 0 && digit[1] != 0 && at < 16; at++, digit += 2)
    wanted[at] = (u8)(hex_digit(digit[0]) << 4 | hex_digit(digit[1]));
  for (u32 tries = 0; each_name("/sys/class/block", is_possible_root) == 0; tries++) {
    sleep_milliseconds(50);
    if (tries != 600) continue;
    say("no disk has the root file system ", setting("root", 0), "; still waiting for it");
    each_name("/sys/class/block", show);
  }
}

static void mount_or_say(const char *what, const char *where, const char *type, u64 flags, const char *options) {
  call2(SYS_mkdir, where, 0755);
  if (call5(SYS_mount, what, where, type, flags, options) < 0) say("cannot mount ", where, 0);
}

static void move_mount(const char *from, const char *to) {
  call2(SYS_mkdir, to, 0755);
  call5(SYS_mount, from, to, 0, MS_MOVE, 0);
}

void enter_root(void) {
  call5(SYS_mount, "devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
  i64 console = call3(SYS_open, "/dev/console", O_RDWR | O_NOCTTY, 0);
  for (i64 file = 0; console >= 0 && file < 3; file++)
    if (file != console) call2(SYS_dup2, console, file);
  mount_or_say("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
  mount_or_say("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
  read_config();
  load_modules();
  find_root();
  call2(SYS_mkdir, "/root", 0755);
  while (call5(SYS_mount, device, "/root", "ext4", 0, 0) < 0) {
    say("cannot mount ", device, " as the root; trying again");
    sleep_milliseconds(3000);
  }
  move_mount("/dev", "/root/dev");
  move_mount("/proc", "/root/proc");
  move_mount("/sys", "/root/sys");
  call1(SYS_chdir, "/root");
  call5(SYS_mount, ".", "/", 0, MS_MOVE, 0);
  call1(SYS_chroot, ".");
  call1(SYS_chdir, "/");
}
