import type { DiskDifference } from "../../../converters/diff/disks.ts";
import type { AspectDifference, FileDifference } from "../../../converters/diff/files.ts";
import { displayPath } from "../../bytes/byte-path.ts";
import { bytes } from "../reporter.ts";

/** `- /only/in/a`, `+ /only/in/b`, `~ /in/both: what differs`. */
export function fileLine(difference: FileDifference): string {
  const path = shown(`/${displayPath(difference.path)}`);
  if (difference.change === "changed") return `~ ${path}: ${difference.aspects.map(aspectText).join(", ")}`;
  const { change, entry } = difference;
  return `${change === "only-a" ? "-" : "+"} ${path}${entry.type === "directory" ? "/" : ""}`;
}

function aspectText({ aspect, a, b }: AspectDifference): string {
  if (aspect === "sha256") return "content";
  const words = [a, b].map((value) => (value === null ? "none" : shown(displayPath(String(value)))));
  return `${shown(displayPath(aspect))} ${words.join(" -> ")}`;
}

export function diskLine({ device, sizeA, sizeB, firstOffset, differing }: DiskDifference): string {
  if (sizeB === undefined) return `- ${device}`;
  if (sizeA === undefined) return `+ ${device}`;
  const size = sizeA === sizeB ? [] : [`size ${sizeA} -> ${sizeB}`];
  const content = firstOffset === undefined ? [] : [`${bytes(differing)} from 0x${firstOffset.toString(16)} on`];
  return `~ ${device}: ${[...size, ...content].join(", ")}`;
}

/** A line is a line, whatever a name holds. */
function shown(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
