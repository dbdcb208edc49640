/* What the writer of the initramfs wants. */
#include "system.h"

static char records[256 << 10];
static u64 size;

void read_config(void) { size = read_file("/config", records, sizeof records - 1); }

const char *setting(const char *key, u32 index) {
  for (const char *record = records; record < records + size; record += length_of(record) + 1) {
    const char *value = behind(record, key);
    if (value != 0 && *value == '=' && index-- == 0) return value + 1;
  }
  return 0;
}
