import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Real material that none of us made. It stands beside the project, or where TEST_CORPUS says. */
const CORPUS = process.env["TEST_CORPUS"] ?? join(ROOT, "..", "shared", "corpus");

/** With TEST_ORACLES=required a missing tool or corpus fails instead of skipping. */
const REQUIRED = process.env["TEST_ORACLES"] === "required";

/** The project's own fixtures. */
export function fixture(...parts: string[]): string {
  return join(ROOT, "fixtures", ...parts);
}

/** A place in the corpus; use it only inside `describeWith({ corpus })`. */
export function corpus(...parts: string[]): string {
  return join(CORPUS, ...parts);
}

export interface Needs {
  /** Programs that must be on PATH. */
  readonly tools?: readonly string[];
  /** A folder or file of the corpus. */
  readonly corpus?: string;
  /** Effective user 0, for loop mounts. */
  readonly root?: boolean;
}

function onPath(tool: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function missing(needs: Needs): string[] {
  const lacks = (needs.tools ?? []).filter((tool) => !onPath(tool));
  if (needs.corpus !== undefined && !existsSync(join(CORPUS, needs.corpus))) lacks.push(`corpus ${needs.corpus}`);
  if (needs.root === true && process.geteuid?.() !== 0) lacks.push("root");
  return lacks;
}

/** A describe that needs outside help: skipped with the reason in its title where that is missing, failed where it is required. */
export function describeWith(needs: Needs, title: string, body: () => void): void {
  const lacks = missing(needs);
  if (lacks.length === 0) {
    describe(title, body);
  } else if (REQUIRED) {
    it(title, () => expect(lacks, "required oracles are missing").toEqual([]));
  } else {
    describe.skipIf(true)(`${title} (skipped: no ${lacks.join(", ")})`, body);
  }
}
