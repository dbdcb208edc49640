/*
 * The init of an appliance made from an image: /init of the initramfs. It finds the root, and then either becomes the image's
 * own init or, where the image has none, runs the image's command as container engines would.
 */
#include "system.h"

static void become(const char *program) {
  const char *arguments[2] = {program, 0};
  const char *environment[3] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux", 0};
  call3(SYS_execve, program, arguments, environment);
  say("cannot run ", program, "; running the image's command instead");
}

void run(void) {
  if (call0(SYS_getpid) != 1) {
    call2(SYS_kill, 1, SIGPWR);
    call1(SYS_exit, 0);
  }
  enter_root();
  const char *program = setting("init", 0);
  if (program != 0) become(program);
  supervise();
}

__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  and $-16, %rsp\n  call run\n");
