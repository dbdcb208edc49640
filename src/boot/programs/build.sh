#!/bin/sh
# Rebuilds the programs that an appliance starts with and writes them into programs.ts beside this folder, or into the file
# named. Needs nasm, gcc and binutils; another version of gcc may give other bytes, so its version is recorded.
set -eu
cd "$(dirname "$0")"
target=${1:-../programs.ts}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
small="-Os -std=gnu11 -Wall -Wextra -Werror -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables
  -fno-builtin -fcf-protection=none -fno-ident -ffunction-sections"

nasm -f bin -o "$work/bios-loader" bios-loader.asm

# shellcheck disable=SC2086
gcc $small -fshort-wchar -mno-red-zone -mno-sse -fpie -c uefi-loader.c -o "$work/uefi-loader.o"
ld --no-warn-rwx-segments -nostdlib -static -pie --no-dynamic-linker -T uefi-loader.ld "$work/uefi-loader.o" -o "$work/uefi-loader.elf"
objcopy -O binary -j .all "$work/uefi-loader.elf" "$work/uefi-loader"

# shellcheck disable=SC2086
gcc $small -mno-sse -static -nostdlib -fno-pie -no-pie -Wl,-z,noseparate-code,-z,noexecstack,--build-id=none,--gc-sections -s \
  init/*.c -o "$work/init"
strip --remove-section=.comment "$work/init"

program() {
  printf '\n/** %s */\nexport const %s: Program = fromBase64(\n  "%s",\n);\n' "$2" "$1" "$(base64 -w 0 "$3")"
}
{
  echo '// Written by programs/build.sh from the sources in that folder: change those, then run it.'
  echo
  echo '/** Machine code that takes part in the start of an appliance. */'
  echo 'type Program = Uint8Array;'
  echo
  echo '/** The compiler and assembler that the programs below come from: others may give other bytes. */'
  printf 'export const BUILT_WITH =\n  "%s";\n' "$(gcc --version | head -n 1), $(nasm --version | cut -d ' ' -f 1-3)"
  program BIOS_LOADER 'What lies in the first 440 bytes of the disk.' "$work/bios-loader"
  program UEFI_LOADER 'Flat code for address 0x1000, entered at its start.' "$work/uefi-loader"
  program INIT 'A static ELF program for x86-64: /init of our initramfs.' "$work/init"
  printf '\nfunction fromBase64(text: string): Program {\n  return new Uint8Array(Buffer.from(text, "base64"));\n}\n'
} >"$target"
