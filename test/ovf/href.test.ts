import { describe, expect, it } from "vitest";
import { checkHref } from "../../src/ovf/href.ts";

describe("checkHref", () => {
  it.each([
    "disk1.vmdk",
    "data/ArchLinux-disk1.vmdk",
    "./box-disk1.vmdk",
    "url%24encoded%a-1.vmdk",
    "special char.s-in_name-disk1.vmdk",
    "{2de94946-e756-4c83-a00f-e7fc36267c80}.vmdk",
    "虚拟机-disk1.vmdk",
    "..hidden.vmdk",
    "%2e%2e/disk.vmdk",
  ])("gives back %s as it is", (href) => expect(checkHref(href)).toBe(href));

  it.each([
    ["", "is empty"],
    ["disk\0.vmdk", "holds a NUL"],
    ["C:\\disk.vmdk", "starts with a drive letter"],
    ["c:disk.vmdk", "starts with a drive letter"],
    ["\\\\server\\share\\disk.vmdk", "is a network path"],
    ["//server/share/disk.vmdk", "is a network path"],
    ["/etc/passwd", "is an absolute path"],
    ["\\disk.vmdk", "is an absolute path"],
    ["https://example.com/disk.vmdk", "is a URL"],
    ["file:disk.vmdk", "is a URL"],
    ["../../../vmdk/ubuntu.vmdk", "leads out of the package"],
    ["data\\..\\..\\disk.vmdk", "leads out of the package"],
    ["data/..", "leads out of the package"],
  ])("refuses %j, which %s", (href, why) => {
    expect(() => checkHref(href, { file: "a.ovf" })).toThrowError(
      expect.objectContaining({ code: "OVF_HREF_UNSAFE", exitCode: 69, message: expect.stringContaining(why) }),
    );
  });
});
