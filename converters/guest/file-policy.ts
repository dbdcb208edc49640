import { type BytePath, parentPath } from "../../src/bytes/byte-path.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import { carry, inPlaceOf, type Loss, unlayerable } from "./carriage.ts";
import type { GuestOptions } from "./options.ts";
import type { OverlayEntry } from "./overlay.ts";
import { PathPatterns } from "./path-patterns.ts";
import { type Rule, rulesOf, WHITEOUT_NAMES } from "./rules.ts";
import { holdsPrivateKey, keyHeadBytes, type SecretKind, secretIndex, secretKind } from "./secrets.ts";

/** What becomes of one entry of the machine. */
export type Decision =
  | {
      readonly action: "keep";
      /** The entry as the layer has it: perhaps with fewer extended attributes than the machine's. */
      readonly entry: Entry;
      readonly losses: readonly Loss[];
      readonly secret?: SecretKind;
    }
  | {
      readonly action: "replace";
      readonly entry: Entry;
      /** Only where `entry` is a file. */
      readonly bytes?: Uint8Array;
      readonly rule: string;
      /** The rule that took the content alone, so that the bytes that go missing are worth counting. */
      readonly emptied?: Rule;
      readonly losses: readonly Loss[];
    }
  | { readonly action: "leave-out"; readonly rule: Rule; readonly secret?: SecretKind };

const SECRETS: Rule = {
  id: "secrets",
  reason: "keys and credentials do not belong into an image",
  action: "leave-out",
  patterns: [],
};
const DEVICES: Rule = { id: "devices", reason: "the container runtime provides it", action: "leave-out", patterns: [] };
const SWAP: Rule = { id: "swap", reason: "swap space and hibernation images", action: "leave-out", patterns: [] };

/** Decides entry by entry: a function of the entry, its path and its head alone, whatever the order of the calls. */
export class FilePolicy {
  readonly #rules: readonly Rule[];
  /** How many of the rules come from the user, after the first one, which holds always. */
  readonly #userRules: number;
  readonly #ruleOf: readonly number[];
  readonly #patterns: PathPatterns;
  /** The anchored patterns of rules that keep: what lies above them is kept, too. */
  readonly #keeping: PathPatterns;
  readonly #keepingRule: readonly number[];
  readonly #options: GuestOptions;
  readonly #overlay: ReadonlyMap<BytePath, OverlayEntry>;
  readonly #covers = new Map<BytePath, Cover>();

  constructor(options: GuestOptions, overlay: ReadonlyMap<BytePath, OverlayEntry>) {
    const user = (options.filters ?? []).map(
      ({ action, pattern }): Rule => ({
        id: `--${action} ${pattern}`,
        reason: "as asked",
        action: action === "include" ? "keep" : "leave-out",
        patterns: [pattern],
      }),
    );
    this.#options = options;
    this.#overlay = overlay;
    this.#rules = [WHITEOUT_NAMES, ...user, ...rulesOf(options.profile ?? "container", options.keepBoot ?? false)];
    this.#userRules = user.length;
    const flat = this.#rules.flatMap(({ patterns, action }, rule) =>
      patterns.map((pattern) => ({ pattern, action, rule })),
    );
    this.#patterns = new PathPatterns(flat.map(({ pattern }) => pattern));
    this.#ruleOf = flat.map(({ rule }) => rule);
    const keeping = flat.filter(({ action }) => action === "keep");
    this.#keeping = new PathPatterns(keeping.map(({ pattern }) => pattern));
    this.#keepingRule = keeping.map(({ rule }) => rule);
  }

  /**
   * How many of a file's first bytes `decide` wants to see: 0 for all but a few, whose content tells more than their name
   * (swap space, private keys).
   */
  headBytes(entry: Entry): number {
    return Math.max(swapHeadBytes(entry), keyHeadBytes(entry));
  }

  decide(entry: Entry, head?: Uint8Array): Decision {
    if (entry.path === "") return this.#keep(entry, undefined);
    const impossible = unlayerable(entry);
    if (impossible !== undefined) return { action: "leave-out", rule: impossible };
    const cover = this.#cover(entry.path, entry.type === "directory");
    const secret = this.#secret(entry, cover, head);
    if (cover.taken !== undefined) return leaveOut(cover.taken, secret);
    if (cover.rule <= this.#userRules) return this.#keep(entry, secret);
    const overlaid = this.#overlay.get(entry.path);
    if (overlaid !== undefined) return this.#replace(overlaid);
    const rule = this.#rules[cover.rule];
    const found = this.#found(entry, secret, head);
    if (found !== undefined) return leaveOut(found, secret);
    if (rule?.action === "empty" && entry.type === "file" && entry.size > 0) {
      const emptied = { entry: inPlaceOf(entry, entry.xattrs, 0), bytes: new Uint8Array(0), rule: rule.id };
      return this.#replace(emptied, rule);
    }
    return this.#keep(entry, secret);
  }

  /** Whether a new entry has its place in the image: not where a filter of the user leaves out what would be there. */
  admits(path: BytePath, isDirectory: boolean): boolean {
    return this.#cover(path, isDirectory).taken === undefined;
  }

  /** Why a file without a rule of its own is left out, for what it is or what is in it. */
  #found(entry: Entry, secret: SecretKind | undefined, head: Uint8Array | undefined): Rule | undefined {
    if (this.#options.profile === "full") return undefined;
    if (entry.type === "character-device" || entry.type === "block-device") return DEVICES;
    if (secret !== undefined && !this.#options.keepSecrets) return SECRETS;
    return head !== undefined && swapHeadBytes(entry) > 0 && isSwap(head) ? SWAP : undefined;
  }

  #secret(entry: Entry, cover: Cover, head: Uint8Array | undefined): SecretKind | undefined {
    if (entry.type !== "file" || entry.size === 0) return undefined;
    const byName = secretKind(cover.secret);
    if (byName !== undefined || head === undefined) return byName;
    return keyHeadBytes(entry) > 0 && holdsPrivateKey(head) ? "private-key" : undefined;
  }

  #keep(entry: Entry, secret: SecretKind | undefined): Decision {
    const carried = carry(entry, this.#options);
    return { action: "keep", ...carried, ...(secret && { secret }) };
  }

  #replace({ entry, bytes, rule }: Pick<OverlayEntry, "entry" | "bytes" | "rule">, emptied?: Rule): Decision {
    return {
      action: "replace",
      ...carry(entry, this.#options),
      rule,
      ...(bytes && { bytes }),
      ...(emptied && { emptied }),
    };
  }

  /** A directory that a rule leaves out stays, empty, where an earlier rule keeps something below it. */
  #holdsKept(directory: BytePath, before: number): boolean {
    const index = this.#keeping.firstBelow(directory);
    return (this.#keepingRule[index] ?? before) < before;
  }

  /** The first rule and the first kind of secret whose patterns match the path or a directory above it. */
  #cover(path: BytePath, isDirectory: boolean): Cover {
    if (path === "") return UNCOVERED;
    const known = isDirectory ? this.#covers.get(path) : undefined;
    if (known !== undefined) return known;
    const above = this.#cover(parentPath(path), true);
    const own = this.#ruleOf[this.#patterns.first(path, isDirectory)] ?? Number.POSITIVE_INFINITY;
    const rule = Math.min(above.rule, own);
    const taken = this.#takenBy(path, isDirectory, rule) ?? above.taken;
    const cover = { rule, secret: Math.min(above.secret, secretIndex(path, isDirectory)), taken };
    if (isDirectory) this.#covers.set(path, cover);
    return cover;
  }

  #takenBy(path: BytePath, isDirectory: boolean, index: number): Rule | undefined {
    const rule = this.#rules[index];
    if (rule?.action !== "leave-out") return undefined;
    if (index > this.#userRules && this.#overlay.has(path)) return undefined;
    return isDirectory && index > 0 && this.#holdsKept(path, index) ? undefined : rule;
  }
}

/** What a path's name, and the names above it, say. */
interface Cover {
  /** The first rule that matches, and the first kind of secret. */
  readonly rule: number;
  readonly secret: number;
  /** The rule by which it is left out: an image has nothing below a directory that it does not have. */
  readonly taken: Rule | undefined;
}

const UNCOVERED: Cover = { rule: Number.POSITIVE_INFINITY, secret: Number.POSITIVE_INFINITY, taken: undefined };

function leaveOut(rule: Rule, secret: SecretKind | undefined): Decision {
  return { action: "leave-out", rule, ...(secret && { secret }) };
}

const LEAST_SWAP_BYTES = 1 << 20;
/** mkswap(8) writes its mark at the end of the first page, whose size is the machine's. */
const PAGE_SIZES = [4096, 8192, 16_384, 65_536];

/** Only root's files of whole pages can be swap space. */
function swapHeadBytes(entry: Entry): number {
  const possible =
    entry.type === "file" && entry.uid === 0 && entry.size >= LEAST_SWAP_BYTES && entry.size % 4096 === 0;
  return possible && (entry.mode & 0o111) === 0 ? 65_536 : 0;
}

function isSwap(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  return PAGE_SIZES.some((size) => /^SWAP(?:-SPACE|SPACE2)$/.test(bytes.toString("latin1", size - 10, size)));
}
