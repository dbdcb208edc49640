/* Small things that a C library would have. */
#include "system.h"

/* The compiler calls these by name. */
void *memset(void *to, int value, u64 size) {
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return to;
}

void *memcpy(void *to, const void *from, u64 size) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return to;
}

void fill(void *to, u8 value, u64 size) { memset(to, value, size); }

void copy(void *to, const void *from, u64 size) { memcpy(to, from, size); }

u64 length_of(const char *text) {
  u64 length = 0;
  while (text[length] != 0) length++;
  return length;
}

const char *behind(const char *text, const char *start) {
  while (*start != 0)
    if (*text++ != *start++) return 0;
  return text;
}

int same(const char *one, const char *other) {
  const char *rest = behind(one, other);
  return rest != 0 && *rest == 0;
}

char *append(char *end, const char *text) {
  while (*text != 0) *end++ = *text++;
  *end = 0;
  return end;
}

char *append_number(char *end, u32 number) {
  char digits[12];
  int count = 0;
  do {
    digits[count++] = '0' + number % 10;
    number /= 10;
  } while (number != 0);
  while (count > 0) *end++ = digits[--count];
  *end = 0;
  return end;
}

u32 number_of(const char *text) {
  u32 number = 0;
  while (text != 0 && *text >= '0' && *text <= '9') number = number * 10 + (u32)(*text++ - '0');
  return number;
}

void sleep_milliseconds(u64 milliseconds) {
  u64 time[2] = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  call2(SYS_nanosleep, time, 0);
}

u64 milliseconds_now(void) {
  u64 time[2] = {0, 0};
  call2(SYS_clock_gettime, 7 /* CLOCK_BOOTTIME */, time);
  return time[0] * 1000 + time[1] / 1000000;
}

void make_directories(const char *path, u32 mode) {
  char part[4096];
  u64 size = length_of(path);
  if (size >= sizeof part) return;
  for (u64 at = 1; at <= size; at++) {
    if (path[at] != '/' && path[at] != 0) continue;
    copy(part, path, at);
    part[at] = 0;
    call2(SYS_mkdir, part, mode);
  }
}

void write_file(const char *path, const char *text) {
  char part[256];
  if (length_of(path) > 200) return;
  append(append(part, path), ".new");
  i64 file = call3(SYS_open, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  call3(SYS_write, file, text, length_of(text));
  close_file(file);
  call2(SYS_rename, part, path);
}

u64 read_file(const char *path, void *to, u64 size) {
  u64 have = 0;
  i64 file = call3(SYS_open, path, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return 0;
  for (;;) {
    i64 got = call3(SYS_read, file, (u8 *)to + have, size - have);
    if (got <= 0) break;
    have += (u64)got;
  }
  close_file(file);
  return have;
}

int each_name(const char *directory, int (*visit)(const char *name)) {
  u64 entries[512];
  int answer = 0;
  i64 size, file = call3(SYS_open, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (file < 0) return 0;
  while (answer == 0 && (size = call3(SYS_getdents64, file, entries, sizeof entries)) > 0) {
    for (u8 *entry = (u8 *)entries, *end = entry + size; answer == 0 && entry < end; entry += *(u16 *)(entry + 16)) {
      const char *name = (const char *)entry + 19;
      if (name[0] != '.') answer = visit(name);
    }
  }
  close_file(file);
  return answer;
}
