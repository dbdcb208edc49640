import { type BytePath, displayPath } from "../../src/bytes/byte-path.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import type { Context } from "../../src/context.ts";
import type { Omission } from "../converter.ts";
import { LOSSES, type Loss } from "./carriage.ts";
import type { Decision } from "./file-policy.ts";
import type { Rule } from "./rules.ts";
import type { SecretFinding, SecretKind } from "./secrets.ts";

/** The part of a result that tells what the image does not have: `excluded` and `secrets` of the JSON result. Paths are for people. */
export interface GuestReport {
  readonly excluded: {
    /** Entries of every type, those that were only emptied included. */
    readonly files: number;
    /** Of content; a hard-linked file counts once. */
    readonly bytes: number;
    readonly byRule: Readonly<Record<string, { readonly files: number; readonly bytes: number }>>;
  };
  /** In tree order. */
  readonly secrets: readonly SecretFinding[];
  /** Entries whose content or type was replaced: "machine-id", "masked-units"... to paths. */
  readonly replaced: Readonly<Record<string, readonly string[]>>;
}

interface Count {
  readonly rule: Rule;
  entries: number;
  bytes: number;
  readonly first: BytePath[];
}

interface LossCount {
  entries: number;
  readonly first: BytePath[];
}

const SHOWN = 3;
const MOST_SECRETS = 10_000;

/** Counts decisions. One for each pass over the tree, so that a plan and a run do not add up. */
export class GuestTally {
  readonly #counts = new Map<string, Count>();
  readonly #losses = new Map<Loss, LossCount>();
  readonly #secrets: SecretFinding[];
  readonly #replaced = new Map<string, BytePath[]>();
  readonly #linked = new Set<number>();

  /** `secrets` are those that were found before the pass. */
  constructor(secrets: readonly SecretFinding[] = []) {
    this.#secrets = [...secrets];
  }

  add(entry: Entry, decision: Decision): void {
    if (decision.action === "leave-out") this.#count(decision.rule, entry);
    else for (const loss of decision.losses) this.#lose(loss, entry.path);
    if (decision.action === "replace") {
      if (decision.emptied !== undefined) this.#count(decision.emptied, entry);
      else this.replaced(decision.rule, entry.path);
    } else if (decision.secret !== undefined && this.#secrets.length < MOST_SECRETS) {
      const action = decision.action === "keep" ? "kept" : "removed";
      this.#secrets.push({ path: entry.path, kind: decision.secret, action });
    }
  }

  /** Notes an entry that the image has by a rule: what `add` does for each decision to replace, and the caller for additions. */
  replaced(rule: string, path: BytePath): void {
    const paths = this.#replaced.get(rule);
    if (paths === undefined) this.#replaced.set(rule, [path]);
    else paths.push(path);
  }

  /** For a plan: one line for each rule that did something, by name. */
  omissions(): Omission[] {
    return [...this.#counts.values()]
      .map(({ rule, entries, bytes }) => ({ rule: rule.id, reason: rule.reason, entries, bytes }))
      .sort((a, b) => (a.rule < b.rule ? -1 : 1));
  }

  report(): GuestReport {
    const omissions = this.omissions();
    return {
      excluded: {
        files: omissions.reduce((sum, { entries }) => sum + entries, 0),
        bytes: omissions.reduce((sum, { bytes }) => sum + bytes, 0),
        byRule: Object.fromEntries(omissions.map(({ rule, entries, bytes }) => [rule, { files: entries, bytes }])),
      },
      secrets: this.#secrets.map((finding) => ({ ...finding, path: displayPath(finding.path) })),
      replaced: Object.fromEntries([...this.#replaced].map(([rule, paths]) => [rule, paths.map(displayPath)])),
    };
  }

  /** One diagnostic for each kind of loss, with how many and the first few. */
  diagnose(ctx: Pick<Context, "diagnostic">): void {
    for (const [code, { entries, first }] of this.#losses) {
      const { severity, message } = LOSSES[code];
      ctx.diagnostic({ code, severity, message: `${message}: ${listed(entries, first)}`, where: {} });
    }
    for (const { rule, entries, first } of this.#counts.values()) {
      if (rule.warning === undefined) continue;
      const message = `left out because ${rule.reason}: ${listed(entries, first)}`;
      ctx.diagnostic({ code: rule.warning, severity: "warning", message, where: {} });
    }
    this.#diagnoseSecrets(ctx);
  }

  #diagnoseSecrets(ctx: Pick<Context, "diagnostic">): void {
    const kept = this.#secrets.filter(({ action }) => action === "kept").map(({ path }) => path);
    if (kept.length > 0) {
      const message = `the image holds secrets of the machine: ${listed(kept.length, kept.slice(0, SHOWN))}`;
      ctx.diagnostic({ code: "GUEST_SECRETS_KEPT", severity: "warning", message, where: {}, advice: KEPT_ADVICE });
    }
    const keys = this.#secrets
      .filter(({ action, kind }) => action === "removed" && SERVER_KEYS.has(kind))
      .map(({ path }) => path);
    if (keys.length > 0) {
      const message = `a service that reads one of these keys does not start without it: ${listed(keys.length, keys.slice(0, SHOWN))}`;
      ctx.diagnostic({ code: "GUEST_KEYS_LEFT_OUT", severity: "warning", message, where: {}, advice: KEYS_ADVICE });
    }
  }

  #count(rule: Count["rule"], entry: Entry): void {
    const count: Count = this.#counts.get(rule.id) ?? { rule, entries: 0, bytes: 0, first: [] };
    this.#counts.set(rule.id, count);
    count.entries++;
    if (count.first.length < SHOWN) count.first.push(entry.path);
    if (entry.type !== "file") return;
    if (entry.links > 1) {
      if (this.#linked.has(entry.inode)) return;
      this.#linked.add(entry.inode);
    }
    count.bytes += entry.size;
  }

  #lose(loss: Loss, path: BytePath): void {
    const count: LossCount = this.#losses.get(loss) ?? { entries: 0, first: [] };
    this.#losses.set(loss, count);
    count.entries++;
    if (count.first.length < SHOWN) count.first.push(path);
  }
}

const KEPT_ADVICE =
  "publish the image only where these may be read, or leave them out with --exclude; --lock-passwords locks the accounts";

const KEYS_ADVICE = "mount keys into the container, or keep one with --include /ITS/PATH";
/** Kinds that servers read when they start. */
const SERVER_KEYS: ReadonlySet<SecretKind> = new Set(["private-key", "ssh-host-key", "keytab"]);

function listed(entries: number, first: readonly BytePath[]): string {
  const names = first.map((path) => JSON.stringify(displayPath(path))).join(", ");
  return entries > first.length ? `${names} and ${entries - first.length} more` : names;
}
