import { badPattern } from "./errors.ts";
import { PathPatterns } from "./path-patterns.ts";

/** `container` leaves out what a container cannot use, `minimal` also documentation and the like, `full` nothing. */
export type Profile = "container" | "full" | "minimal";

/** One `--include` or `--exclude`, in the order of the command line. */
export interface Filter {
  readonly action: "include" | "exclude";
  readonly pattern: string;
}

/** What the user asked for, by the names of the command line. Nothing set means the default of each. */
export interface GuestOptions {
  readonly profile?: Profile;
  /**
   * The first that matches a path, or a directory above it, decides; they come before the profile. A pattern with a slash in
   * front reaches into directories that later rules leave out, any other does not.
   */
  readonly filters?: readonly Filter[];
  readonly keepBoot?: boolean;
  readonly keepSecrets?: boolean;
  readonly keepSelinux?: boolean;
  /** Also security.ima, security.evm and trusted.overlay.*. */
  readonly keepXattrs?: boolean;
  readonly lockPasswords?: boolean;
  /** A service's name, or `auto` for the only one there is. */
  readonly service?: string;
  /** A JSON array, or words as a shell would split them. */
  readonly entrypoint?: string;
  readonly cmd?: string;
  /** `NAME=value`. */
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly stopSignal?: string;
  /** `80`, `53/udp`. If any is given, none are looked for. */
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  /** `name=value`. */
  readonly labels?: readonly string[];
  readonly annotations?: readonly string[];
  /** `linux/arm64`, `linux/arm/v7`. */
  readonly platform?: string;
}

/**
 * The lines of an `--exclude-from` file: `- PATTERN` or a bare pattern excludes, `+ PATTERN` includes; blank lines and those
 * that begin with `#` or `;` are skipped.
 */
export function parseFilters(text: string): Filter[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "" && !/^[#;]/.test(line))
    .map((line) => {
      const action = line.startsWith("+ ") ? "include" : "exclude";
      return { action, pattern: line.replace(/^[+-] /, "") };
    });
}

/** Throws UsageError GUEST_PATTERN for a pattern without a meaning. */
export function checkFilters(filters: readonly Filter[]): void {
  for (const { pattern } of filters) {
    try {
      new PathPatterns([pattern]);
    } catch (error) {
      if (error instanceof SyntaxError) throw badPattern(pattern);
      throw error;
    }
  }
}
