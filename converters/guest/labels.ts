import { createHash } from "node:crypto";
import type { Context } from "../../src/context.ts";
import { badOption } from "./errors.ts";
import type { GuestFacts } from "./facts.ts";
import type { GuestOptions } from "./options.ts";
import type { OsRelease } from "./os-release.ts";

/** Before every label, annotation and property name of our own. */
export const LABEL_PREFIX = "io.transload.";

/**
 * Labels for what is known of the machine: the names that image-spec "Pre-Defined Annotation Keys" has, our own for the rest.
 * `asked` come last and may be any.
 */
export function makeLabels(
  facts: GuestFacts,
  os: OsRelease,
  options: Pick<GuestOptions, "profile">,
  asked: readonly string[],
  ctx: Pick<Context, "epoch">,
): Record<string, string> {
  const eula = facts.eula && `sha256:${createHash("sha256").update(facts.eula).digest("hex")}`;
  const known: Readonly<Record<string, string | undefined>> = {
    "org.opencontainers.image.created": ctx.epoch === undefined ? undefined : timestamp(ctx.epoch),
    "org.opencontainers.image.description": facts.description,
    "org.opencontainers.image.title": facts.product || facts.name,
    "org.opencontainers.image.url": facts.productUrl,
    "org.opencontainers.image.vendor": facts.vendor,
    "org.opencontainers.image.version": facts.version,
    [`${LABEL_PREFIX}disks`]: facts.disks?.join(","),
    [`${LABEL_PREFIX}eula.digest`]: eula,
    [`${LABEL_PREFIX}firmware`]: facts.firmware,
    [`${LABEL_PREFIX}os.id`]: os.id,
    [`${LABEL_PREFIX}os.name`]: os.prettyName,
    [`${LABEL_PREFIX}os.version`]: os.version,
    [`${LABEL_PREFIX}profile`]: options.profile,
    [`${LABEL_PREFIX}source.digest`]: facts.sourceDigest,
    [`${LABEL_PREFIX}tool.version`]: facts.toolVersion,
    [`${LABEL_PREFIX}vm.name`]: facts.name,
  };
  const labels = Object.entries(known).filter((pair): pair is [string, string] => Boolean(pair[1]));
  return Object.fromEntries(
    [...labels, ...asked.map((text) => pairOf("--label", text))].sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Of an image, for what is known of the hardware of the machine that it came from. */
export const HARDWARE_LABEL = `${LABEL_PREFIX}hardware`;

/** The label of a machine's hardware as `asked` wants it; it is for the config alone, annotations have to stay small. */
export function hardwareLabel({ hardware }: Pick<GuestFacts, "hardware">): readonly string[] {
  return hardware === undefined ? [] : [`${HARDWARE_LABEL}=${hardware}`];
}

/** `name=value` with a name. */
export function pairOf(option: string, text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw badOption(option, text, "NAME=value");
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** RFC 3339 in seconds. */
function timestamp(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace(".000Z", "Z");
}
