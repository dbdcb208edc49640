import { describe, expect, it } from "vitest";
import { newFstab } from "../../../converters/oci-to-ovf/new-fstab.ts";
import { createContext } from "../../../src/context.ts";

const OLD = "11111111-2222-3333-4444-555555555555";
const NEW = "99999999-8888-7777-6666-555555555555";

function fitted(text: string) {
  const codes: string[] = [];
  const ctx = createContext({ diagnostic: ({ code }) => codes.push(code) });
  const fstab = newFstab(Buffer.from(text), ctx);
  const bytes = fstab.bytes(fstab.uuid ?? NEW);
  return { ...fstab, codes, text: bytes && Buffer.from(bytes).toString() };
}

describe("the fstab of a machine on its new disk", () => {
  it("stays as it is where the new root can have the old one's name", () => {
    const text = `# comment\nUUID=${OLD} / ext4 errors=remount-ro 0 1\n/swapfile none swap sw 0 0\ntmpfs /tmp tmpfs defaults 0 0\n`;
    expect(fitted(text)).toMatchObject({ uuid: OLD, text: undefined, codes: [] });
    expect(fitted("LABEL=system / ext4 defaults 0 1\n")).toMatchObject({ label: "system", text: undefined });
    expect(fitted("")).toMatchObject({ uuid: undefined, text: undefined });
  });

  it.each(["/dev/sda1", "/dev/mapper/vg-root", "PARTUUID=abcd", `LABEL=${"x".repeat(17)}`])(
    "calls a root that was %s by its UUID",
    (device) => {
      const { text, codes } = fitted(`${device} / ext4 defaults 0 1\n`);
      expect(text).toBe(`UUID=${NEW} / ext4 defaults 0 1\n`);
      expect(codes).toEqual(["APPLIANCE_FSTAB_ROOT"]);
    },
  );

  it("has ext4 for a root of another kind, under its old UUID", () => {
    const { uuid, text } = fitted(`UUID=${OLD} / xfs defaults 0 0\n`);
    expect(uuid).toBe(OLD);
    expect(text).toBe(`UUID=${OLD} / ext4 defaults 0 1\n`);
  });

  it("loses what lies on other partitions, and keeps what does not", () => {
    const { text, codes } = fitted(
      [
        `UUID=${OLD} / ext4 defaults 0 1`,
        "UUID=ABCD-1234 /boot/efi vfat umask=0077 0 1",
        "/dev/sda5 none swap sw 0 0",
        "/dev/mapper/vg-home /home ext4 defaults 0 2",
        "server:/export /data nfs defaults 0 0",
        "/srv/a /srv/b none bind 0 0",
      ].join("\n"),
    );
    expect(text?.split("\n").filter((line) => !line.startsWith("#"))).toEqual([
      `UUID=${OLD} / ext4 defaults 0 1`,
      "server:/export /data nfs defaults 0 0",
      "/srv/a /srv/b none bind 0 0",
    ]);
    expect(codes).toEqual(["APPLIANCE_FSTAB_DROPPED", "APPLIANCE_FSTAB_DROPPED", "APPLIANCE_FSTAB_DROPPED"]);
  });
});
