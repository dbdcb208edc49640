import { describe, expect, it } from "vitest";
import { namingOf } from "../../src/transport/naming.ts";
import { parseImageName, parseLayoutReference, splitPath } from "../../src/transport/reference.ts";

describe("references", () => {
  it.each([
    ["dir", "dir", undefined],
    ["dir:tag", "dir", "tag"],
    ["/a b/dir:1.0", "/a b/dir", "1.0"],
    ["dir:registry.example/team/web:1.0", "dir", "registry.example/team/web:1.0"],
    ["C:dir:tag", "C", "dir:tag"],
    ["-", "-", undefined],
  ])("%s is a layout's path and name", (details, path, name) => {
    expect(parseLayoutReference(details)).toEqual({ path, name });
  });

  it.each([[""], [":tag"], ["dir:"], ["dir:-x"], ["dir:a b"], ["dir:a//b"], ["dir:a:"]])("%j is none", (details) => {
    expect(() => parseLayoutReference(details)).toThrow(expect.objectContaining({ code: "TRANSPORT_REFERENCE" }));
  });

  it("leaves what follows the first colon of a docker archive alone", () => {
    expect(splitPath("f.tar:host:5000/web:1")).toEqual({ path: "f.tar", name: "host:5000/web:1" });
  });

  it.each([
    ["web", "docker.io/library/web:latest", "web:latest"],
    ["team/web:1.0", "docker.io/team/web:1.0", "team/web:1.0"],
    ["docker.io/web:1", "docker.io/library/web:1", "web:1"],
    ["localhost/web", "localhost/web:latest", "localhost/web:latest"],
    ["host:5000/a/b:c", "host:5000/a/b:c", "host:5000/a/b:c"],
    ["registry.example/web:1_x-y.z", "registry.example/web:1_x-y.z", "registry.example/web:1_x-y.z"],
  ])("%s is the image %s", (text, full, familiar) => {
    expect(parseImageName(text)).toMatchObject({ full, familiar });
  });

  it.each([["Web"], ["a b"], ["web:"], ["web@sha256:00"], ["/web"], ["te__am/We"], [`${"a".repeat(256)}`]])(
    "%j is no image name",
    (text) => {
      const error = expect.objectContaining({ code: "TRANSPORT_REFERENCE" });
      expect(() => parseImageName(text)).toThrow(error);
    },
  );

  it.each([
    [undefined, undefined, undefined, undefined],
    ["v1", undefined, "v1", undefined],
    [undefined, "web:1.0", "1.0", "docker.io/library/web:1.0"],
    ["v1", "web:1.0", "v1", "docker.io/library/web:v1"],
    ["team/web:2", "other:1", "team/web:2", "docker.io/team/web:2"],
  ])("the tag %s and the name %s become the annotations %s and %s", (tag, name, refName, full) => {
    const naming = namingOf(tag, name);
    expect([naming.refName, naming.imageName?.full]).toEqual([refName, full]);
  });
});
