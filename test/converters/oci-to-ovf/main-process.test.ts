import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changedExecution } from "../../../converters/oci-to-ovf/execution.ts";
import { mainProcessRecords, restartRecords } from "../../../converters/oci-to-ovf/main-process.ts";
import { signalNumber } from "../../../converters/oci-to-ovf/signals.ts";
import { resolveUser } from "../../../converters/oci-to-ovf/users.ts";

const PASSWD = Buffer.from(
  "root:x:0:0:root:/root:/bin/sh\n# a comment\nweb:x:33:34::/var/www:/bin/false\n7:x:9:9::/:/\nhalf\n",
);
const GROUP = Buffer.from("root:x:0:\nweb:x:34:\nvideo:x:44:web,other\naudio:x:29:other,web\n");

describe("the user of an image", () => {
  it.each([
    ["", { uid: 0, gid: 0, groups: [0], home: "/root" }],
    ["web", { uid: 33, gid: 34, groups: [34, 44, 29], home: "/var/www" }],
    ["33", { uid: 33, gid: 34, groups: [34, 44, 29], home: "/var/www" }],
    ["web:video", { uid: 33, gid: 44, groups: [44], home: "/var/www" }],
    ["1000", { uid: 1000, gid: 0, groups: [0], home: "/" }],
    ["1000:1001", { uid: 1000, gid: 1001, groups: [1001], home: "/" }],
    ["web:", { uid: 33, gid: 34, groups: [34, 44, 29], home: "/var/www" }],
    ["7", { uid: 9, gid: 9, groups: [9], home: "/" }],
  ])("%j is who a container engine takes", (user, expected) => {
    expect(resolveUser(user, PASSWD, GROUP)).toEqual(expected);
  });

  it("may be a number without any files, but no name: APPLIANCE_USER", () => {
    expect(resolveUser("5", undefined, undefined)).toMatchObject({ uid: 5, gid: 0 });
    for (const user of ["nobody", "web:nogroup", "99999999999", "-1"]) {
      expect(() => resolveUser(user, PASSWD, GROUP)).toThrow(expect.objectContaining({ code: "APPLIANCE_USER" }));
    }
  });

  it("is never a number that the kernel does not have, whatever the files", () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), fc.uint8Array(), (user, passwd, group) => {
        try {
          const { uid, gid } = resolveUser(user, passwd, group);
          expect(uid >= 0 && uid < 2 ** 32 - 1 && gid >= 0 && gid < 2 ** 32 - 1).toBe(true);
        } catch (cause) {
          expect(cause).toHaveProperty("code", "APPLIANCE_USER");
        }
      }),
    );
  });
});

describe("a stop signal", () => {
  it.each([
    ["SIGTERM", 15],
    ["term", 15],
    ["9", 9],
    ["SIGRTMIN+3", 37],
    ["SIGRTMAX-1", 63],
    ["SIGPWR", 30],
    ["SIGQUIT", 3],
    ["SIGUSR1", 10],
  ])("%s is %i", (text, number) => {
    expect(signalNumber(text)).toBe(number);
  });

  it.each(["SIGNAL", "0", "65", "SIGRTMIN+99", ""])("%j is APPLIANCE_SIGNAL", (text) => {
    expect(() => signalNumber(text)).toThrow(expect.objectContaining({ code: "APPLIANCE_SIGNAL" }));
  });
});

describe("a restart policy", () => {
  it.each([
    ["no", []],
    ["always", [["restart", "always"]]],
    ["unless-stopped", [["restart", "always"]]],
    [
      "on-failure:3",
      [
        ["restart", "on-failure"],
        ["restart-limit", "3"],
      ],
    ],
  ])("%s is told to init", (policy, expected) => {
    expect(restartRecords(policy)).toEqual(expected);
  });

  it.each(["sometimes", "always:3", "on-failure:", ""])("%j is APPLIANCE_RESTART", (policy) => {
    expect(() => restartRecords(policy)).toThrow(expect.objectContaining({ code: "APPLIANCE_RESTART" }));
  });
});

describe("what init is told of the main process", () => {
  const user = { uid: 1, gid: 2, groups: [2, 3], home: "/home/a" };

  it("is all that the config says, with what container engines add", () => {
    const execution = { entrypoint: ["run"], cmd: ["ä", "b\0c"], env: ["A=1"], workingDir: "/srv", volumes: ["/data"] };
    const records = mainProcessRecords(execution, user, "web");
    const all = (key: string) => records.filter(([each]) => each === key).map(([, value]) => value);
    expect(all("argument")).toEqual(["run", "\xc3\xa4", "b"]);
    expect(all("environment")).toEqual([
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOSTNAME=web",
      "HOME=/home/a",
      "TERM=linux",
      "A=1",
    ]);
    expect([all("uid"), all("gid"), all("group"), all("workdir"), all("volume")]).toEqual([
      ["1"],
      ["2"],
      ["2", "3"],
      ["/srv"],
      ["/data"],
    ]);
    expect(all("stop-signal")).toEqual(["15"]);
  });
});

describe("options that change what an image starts", () => {
  const image = { entrypoint: ["a"], cmd: ["b"], env: ["X=1", "Y=2"], user: "web", volumes: ["/data"] };

  it("count as those of docker run do", () => {
    expect(changedExecution(image, {})).toMatchObject(image);
    expect(changedExecution(image, { entrypoint: '["c", "d e"]' })).not.toHaveProperty("cmd");
    expect(changedExecution(image, { cmd: "x 'y z'" })).toMatchObject({ entrypoint: ["a"], cmd: ["x", "y z"] });
    const changes = { env: ["X=3", "Z=4"], user: "5", workdir: "/srv", volumes: ["/more"], stopSignal: "SIGINT" };
    expect(changedExecution(image, changes)).toMatchObject({
      env: ["X=3", "Y=2", "Z=4"],
      user: "5",
      workingDir: "/srv",
      volumes: ["/data", "/more"],
      stopSignal: "SIGINT",
    });
  });

  it.each([{ env: ["=1"] }, { workdir: "srv" }, { volumes: ["data"] }, { cmd: "'open" }])(
    "%j is GUEST_OPTION",
    (options) => {
      expect(() => changedExecution(image, options)).toThrow(expect.objectContaining({ code: "GUEST_OPTION" }));
    },
  );
});
