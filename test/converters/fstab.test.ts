import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findDevice } from "../../converters/machine/devices.ts";
import { optionValue, parseFstab, reasonToSkip } from "../../converters/machine/fstab.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";

const EMPTY = { disks: [], groups: [], async [Symbol.asyncDispose]() {} };

function parse(text: string) {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (found) => diagnostics.push(found) });
  return { lines: parseFstab(Buffer.from(text, "latin1"), ctx), diagnostics };
}

describe("fstab", () => {
  it("reads whatever bytes there are", () => {
    const piece = fc.constantFrom(
      "UUID=",
      "/dev/sda1",
      " ",
      "\t",
      "\n",
      "/",
      "\\040",
      '"',
      ",",
      "#",
      "ext4",
      "\xff",
      "=",
      "..",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary-ascii" }),
      fc.array(piece).map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(text, (text) => {
        for (const line of parse(text).lines) {
          reasonToSkip(line);
          expect(findDevice(EMPTY, line.device)).toBeUndefined();
          expect(line.path ?? "").not.toMatch(/^\/|\/$|\/\/|(^|\/)\.\.?(\/|$)/);
        }
      }),
    );
  });

  it("reads fields, comments, octal escapes, quotes and missing fields as mount(8) does", () => {
    const { lines, diagnostics } = parse(
      [
        "# /etc/fstab",
        "  \t# indented comment",
        'UUID="1234-ABCD"\t/boot//efi/\tvfat\tumask=0077\t0 1',
        "/dev/sda5 /srv/with\\040blank\\011tab ext4",
        '/dev/sda6 /\xe4 ext4 defaults,context="a:b,c",ro 0 0\r',
        "/dev/sda7 none swap sw 0 0",
        "/dev/sda1 / ext4",
        "",
        "lonely",
        "/dev/sda9 /a/../b ext4",
      ].join("\n"),
    );
    expect(lines).toEqual([
      { device: 'UUID="1234-ABCD"', path: "boot/efi", type: "vfat", options: ["umask=0077"], line: 3 },
      { device: "/dev/sda5", path: "srv/with blank\ttab", type: "ext4", options: ["defaults"], line: 4 },
      { device: "/dev/sda6", path: "\xe4", type: "ext4", options: ["defaults", 'context="a:b,c"', "ro"], line: 5 },
      { device: "/dev/sda7", path: undefined, type: "swap", options: ["sw"], line: 6 },
      { device: "/dev/sda1", path: "", type: "ext4", options: ["defaults"], line: 7 },
      { device: "/dev/sda9", path: undefined, type: "ext4", options: ["defaults"], line: 10 },
    ]);
    expect(diagnostics).toMatchObject([{ code: "FSTAB_LINE", severity: "warning" }]);
    expect(diagnostics[0]?.message).toContain("line 9");
    expect(optionValue(["ro", "subvol=@home"], "subvol")).toBe("@home");
  });

  it.each([
    ["/srv/a /srv/b none bind 0 0", "second time"],
    ["/srv/a /srv/b none rw,rbind", "second time"],
    ["/dev/sda7 none swap sw", "no files"],
    ["tmpfs /tmp tmpfs defaults", "no files"],
    ["nas:/x /data nfs4 defaults", "network"],
    ["//nas/x /data cifs guest", "network"],
    ["/dev/sdb1 /data ext4 _netdev", "network"],
    ["/dev/cdrom /cd iso9660 ro", "removable"],
    ["/dev/sr0 /media/cd auto ro", "removable"],
    ["UUID=1 /mnt/usb ext4 defaults", "comes and goes"],
    ["UUID=1 /proc proc defaults", "no files"],
    ["UUID=1 /data ext4 noauto", "not mounted at start"],
    ["UUID=1 /data ext4 noauto,x-systemd.automount", undefined],
    ["UUID=1 /boot/efi vfat noauto", undefined],
    ["UUID=1 /mnt2 ext4 defaults", undefined],
    ["UUID=1 /data auto", undefined],
  ])("%s", (text, reason) => {
    const [line] = parse(text).lines;
    if (line === undefined) throw new Error("no line");
    const found = reasonToSkip(line);
    if (reason === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(reason);
  });
});
