import type { ConversionPlan } from "../../../converters/convert.ts";
import { displayPath } from "../../bytes/byte-path.ts";
import { bytes } from "../reporter.ts";

const SECRETS_SHOWN = 20;

/** A plan for people: what is used, what is left out and why. */
export function renderPlan(plan: ConversionPlan): string {
  const lines = [
    `${plan.source} -> ${plan.destination} (${plan.form})`,
    "",
    "uses",
    ...plan.uses.map((use) => `  ${use}`),
  ];
  if (plan.tempBytes > 0)
    lines.push(`  ${bytes(plan.tempBytes)} of temporary space, since the input cannot be read at any offset`);
  lines.push("", "leaves out");
  if (plan.omissions.length === 0) lines.push("  nothing");
  for (const { rule, reason, entries, bytes: size } of plan.omissions) {
    lines.push(`  ${rule.padEnd(18)} ${String(entries).padStart(7)} files ${bytes(size).padStart(9)}  ${reason}`);
  }
  if (plan.secrets.length > 0) lines.push("", "secrets");
  for (const { path, kind, action } of plan.secrets.slice(0, SECRETS_SHOWN))
    lines.push(`  ${action} ${kind} /${displayPath(path)}`);
  if (plan.secrets.length > SECRETS_SHOWN)
    lines.push(`  and ${plan.secrets.length - SECRETS_SHOWN} more, all in --json`);
  return `${lines.join("\n")}\n`;
}
