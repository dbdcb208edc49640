import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nameDestinations } from "../../src/batch/destination.ts";
import { listItems } from "../../src/batch/list.ts";
import { createContext } from "../../src/context.ts";
import { fixture } from "../support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "list-"));
const ctx = createContext({ epoch: 1_700_000_000 });
mkdirSync(join(folder, "b/export"), { recursive: true });
for (const [name, size] of [
  ["z.ova", 5],
  ["b/y.OVA.gz", 7],
  ["b/notes.txt", 9],
  ["b/export/m.ovf", 2],
  ["b/export/m.vmdk", 30],
] as const) {
  writeFileSync(join(folder, name), Buffer.alloc(size));
}

describe("the sources of a batch", () => {
  it("are files as they are, and of a folder the appliances below it", async () => {
    expect(await listItems([folder, "docker://reg/x:1"], ctx)).toEqual([
      { source: join(folder, "b/export"), size: 32 },
      { source: join(folder, "b/y.OVA.gz"), size: 7 },
      { source: join(folder, "z.ova"), size: 5 },
      { source: "docker://reg/x:1", size: 0 },
    ]);
  });

  it("come from a list, in columns or as JSON, each once", async () => {
    const list = join(folder, "list");
    const z = join(folder, "z.ova");
    writeFileSync(
      list,
      `# ours\r\n\n${z}\toci:a:1\r\n${JSON.stringify({ source: z, destination: "oci:b" })}\n${z}\noci:c\n`,
    );
    expect(await listItems([`@${list}`, z], ctx)).toEqual([
      { source: z, destination: "oci:a:1", size: 5 },
      { source: z, destination: "oci:b", size: 5 },
      { source: z, size: 5 },
      { source: "oci:c", size: 0 },
    ]);
  });

  it.each(["{oops", '{"destination":"x"}', '{"source":1}', '{"source":"a","destination":2}', "\tonly"])(
    "are refused with their line: %s",
    async (line) => {
      const list = join(folder, "bad");
      writeFileSync(list, `ok\n${line}\n`);
      await expect(listItems([`@${list}`], ctx)).rejects.toMatchObject({
        code: "BATCH_LIST_LINE",
        message: expect.stringContaining("line 2"),
      });
    },
  );

  it("may not be nothing at all", async () => {
    await expect(listItems([mkdtempSync(join(tmpdir(), "empty-"))], ctx)).rejects.toMatchObject({
      code: "BATCH_EMPTY",
    });
    await expect(listItems(["@/nowhere"], ctx)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});

describe("the destinations of a batch", () => {
  const hello = { source: fixture("appliances", "hello", "hello.ova"), size: 1 };

  it("take their fields from the descriptor, the file and the day", async () => {
    const broken = { source: join(folder, "z.ova"), size: 5 };
    const named = await nameDestinations([hello, broken], "oci:images:{name}-{stem}-{version}-{date}-{index}", ctx);
    expect(named.map(({ destination }) => destination)).toEqual([
      "oci:images:hello-hello-1.0-20231114-1",
      "oci:images:z-z-latest-20231114-2",
    ]);
  });

  it("are the list's own where it has them, and never the same for two", async () => {
    expect(await nameDestinations([{ ...hello, destination: "oci:own" }], "", ctx)).toMatchObject([
      { destination: "oci:own" },
    ]);
    await expect(nameDestinations([hello, { ...hello, source: "other.ova" }], "oci:one", ctx)).rejects.toMatchObject({
      code: "BATCH_DESTINATION_TWICE",
      exitCode: 2,
    });
    await expect(nameDestinations([hello], "oci:{nmae}", ctx)).rejects.toMatchObject({ code: "BATCH_TEMPLATE" });
  });
});
