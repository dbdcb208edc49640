import fc from "fast-check";
import { expect, it } from "vitest";
import { compileGuestPolicy } from "../../../converters/guest/policy.ts";
import { createContext } from "../../../src/context.ts";
import { ConverterError } from "../../../src/errors.ts";
import { memoryTree } from "../../support/memory-tree.ts";
import { ALPINE, CENTOS, DEBIAN, UPSTART } from "./machines.ts";

const PIECES = [
  "[Service]\n",
  "ExecStart=",
  "Type=forking\n",
  "User=",
  "Environment=",
  "EnvironmentFile=",
  "RuntimeDirectory=",
  "/etc/hosts",
  "%",
  "$",
  "${",
  "}",
  "'",
  '"',
  "\\",
  "\n",
  " ",
  "=",
  ":",
  "@",
  "-",
  "..",
  "/",
  "listen ",
  "Port 99999999999",
  "port=",
  "\0",
  "\x80",
  "é",
  '<Connector port="',
  "<!--",
  "id:9:initdefault:",
  "command=",
  "d /run/../../etc 9999 root root",
  "x".repeat(300),
  "ID=__proto__\n",
];

it("answers a policy or a ConverterError for whatever configuration a machine has", async () => {
  const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map((pieces) => pieces.join(""));
  const change = fc.record({
    at: fc.nat(),
    text,
    service: fc.constantFrom(undefined, "auto", "nginx", "httpd", "app", "mysql"),
  });
  const machine = fc.constantFrom(DEBIAN, CENTOS, ALPINE, UPSTART);
  const property = fc.asyncProperty(
    machine,
    fc.array(change, { minLength: 1, maxLength: 6 }),
    async (files, changes) => {
      const paths = Object.keys(files).filter((path) => typeof files[path] === "string" && !path.endsWith("/"));
      const broken = Object.fromEntries(
        changes.map((each) => [paths[each.at % paths.length] ?? "etc/x", { text: each.text }]),
      );
      const { service } = changes[0] ?? {};
      const tree = memoryTree({ ...files, ...broken, "etc/tmpfiles.d/x.conf": changes[0]?.text ?? "" });
      try {
        const policy = await compileGuestPolicy(tree, {}, service === undefined ? {} : { service }, createContext());
        for await (const entry of tree.walk()) policy.decide(entry, new Uint8Array(policy.headBytes(entry)));
        for (const { entry } of policy.additions) expect(await tree.lookup(entry.path)).toBeUndefined();
      } catch (error) {
        if (!(error instanceof ConverterError)) throw error;
      }
    },
  );
  await fc.assert(property, { numRuns: 150 });
});
