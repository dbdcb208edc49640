import { hrefProblem } from "./href.ts";
import type { Disk, FileReference, Producer } from "./model.ts";
import { attribute, childNamed, childrenNamed, foreignAttributes, nonEmpty } from "./names.ts";
import type { Oddities } from "./oddities.ts";
import { sectionsOf } from "./sections.ts";
import { bytesPerUnit, inBytes, parseInteger } from "./units.ts";
import { plainUuid } from "./virtualbox-machine.ts";
import type { XmlElement } from "./xml.ts";

/** References/File. An href that may not be opened is reported here and refused when it is opened. */
export function readFiles(root: XmlElement, oddities: Oddities): readonly FileReference[] {
  const references = childNamed(root, "References");
  const elements = references === undefined ? [] : childrenNamed(references, "File");
  const files = elements.flatMap((element) => readFile(element, oddities) ?? []);
  reportRepeated("File", files, oddities);
  return files;
}

function readFile(element: XmlElement, oddities: Oddities): FileReference | undefined {
  const href = attribute(element, "href");
  if (href === undefined) {
    oddities.warn("OVF_ELEMENT_INCOMPLETE", "a File has no href", element.span);
    return undefined;
  }
  const problem = hrefProblem(href);
  if (problem !== undefined) {
    oddities.warn("OVF_HREF_UNSAFE", `the reference ${JSON.stringify(href)} ${problem}`, element.span);
  }
  return {
    id: attribute(element, "id"),
    href,
    size: oddities.count(attribute(element, "size"), "the file size", element.span),
    compression: nonEmpty(attribute(element, "compression")?.trim().toLowerCase()) ?? "identity",
    chunkSize: oddities.count(attribute(element, "chunkSize"), "the chunk size", element.span),
    foreign: foreignAttributes(element),
    span: element.span,
  };
}

/** DiskSection/Disk; `files` resolves their fileRef, by id and, as oVirt writes it, by href. */
export function readDisks(
  root: XmlElement,
  files: readonly FileReference[],
  producer: Producer,
  oddities: Oddities,
): readonly Disk[] {
  const byRef = new Map<string, FileReference>();
  for (const file of files) if (!byRef.has(file.href)) byRef.set(file.href, file);
  for (const file of files.toReversed()) if (file.id !== undefined) byRef.set(file.id, file);
  const elements = sectionsOf(root, "DiskSection").flatMap((section) => childrenNamed(section, "Disk"));
  const disks = elements.flatMap((element) => readDisk(element, byRef, producer, oddities) ?? []);
  reportRepeated("Disk", disks, oddities);
  return disks;
}

function readDisk(
  element: XmlElement,
  files: ReadonlyMap<string, FileReference>,
  producer: Producer,
  oddities: Oddities,
): Disk | undefined {
  const id = attribute(element, "diskId");
  if (id === undefined) {
    oddities.warn("OVF_ELEMENT_INCOMPLETE", "a Disk has no diskId", element.span);
    return undefined;
  }
  const fileRef = nonEmpty(attribute(element, "fileRef"));
  const file = fileRef === undefined ? undefined : files.get(fileRef);
  if (fileRef !== undefined && file === undefined) {
    const message = `disk ${JSON.stringify(id)} refers to file ${JSON.stringify(fileRef)}, which is missing`;
    oddities.warn("OVF_DANGLING_REFERENCE", message, element.span);
  }
  return {
    id,
    fileRef,
    file,
    ...readCapacity(element, id, producer, oddities),
    populatedSize: oddities.count(attribute(element, "populatedSize"), "the populated size", element.span),
    format: nonEmpty(attribute(element, "format")),
    parentRef: nonEmpty(attribute(element, "parentRef")),
    vboxUuid: plainUuid(attribute(element, "uuid", "virtualbox")),
    foreign: foreignAttributes(element),
    span: element.span,
  };
}

type Capacity = Pick<Disk, "capacity" | "capacityText" | "capacityUnits" | "capacityProperty">;

function readCapacity(element: XmlElement, id: string, producer: Producer, oddities: Oddities): Capacity {
  const capacityText = attribute(element, "capacity");
  const capacityUnits = nonEmpty(attribute(element, "capacityAllocationUnits"));
  const capacityProperty = /^\$\{(.+)\}$/.exec(capacityText?.trim() ?? "")?.[1];
  // oVirt before 4 writes no capacity, but the size in GiB.
  const ovirtSize = producer.kind === "ovirt" ? attribute(element, "size") : undefined;
  const capacity =
    capacityText === undefined && ovirtSize !== undefined
      ? bytesOf(ovirtSize, "byte * 2^30")
      : bytesOf(capacityText ?? "", capacityUnits ?? "byte");
  if (capacity === undefined && capacityProperty === undefined) {
    const found = capacityText === undefined ? "no capacity" : `the capacity ${written(capacityText, capacityUnits)}`;
    oddities.warn("OVF_CAPACITY_MISSING", `disk ${JSON.stringify(id)} has ${found}`, element.span);
  }
  return { capacity, capacityText, capacityUnits, capacityProperty };
}

function written(text: string, units: string | undefined): string {
  return units === undefined ? JSON.stringify(text) : `${JSON.stringify(text)} in ${JSON.stringify(units)}`;
}

/** An amount in units of bytes; undefined unless both can be read and the product is exact. */
export function bytesOf(amount: string, units: string): number | undefined {
  const count = parseInteger(amount);
  const unit = bytesPerUnit(units);
  return count === undefined || unit === undefined ? undefined : inBytes(count, unit);
}

function reportRepeated(
  kind: string,
  things: readonly { readonly id: string | undefined; readonly span: XmlElement["span"] }[],
  oddities: Oddities,
): void {
  const seen = new Set<string>();
  for (const { id, span } of things) {
    if (id === undefined) continue;
    if (seen.has(id)) oddities.warn("OVF_ID_REPEATED", `more than one ${kind} is called ${JSON.stringify(id)}`, span);
    seen.add(id);
  }
}
