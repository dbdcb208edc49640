import { CorruptError, NotFoundError, OutputError, UnsupportedError, type Where } from "../errors.ts";

/** A drive names a Disk or File id that the descriptor gives to more than one thing. */
export function ambiguousReference(kind: string, id: string, where: Where): CorruptError {
  return new CorruptError("OVF_AMBIGUOUS_REFERENCE", `more than one ${kind} is called ${JSON.stringify(id)}`, {
    where,
  });
}

/** A disk bus that the hypervisors of a dialect do not have. */
export function busUnsupported(bus: string, dialect: string): UnsupportedError {
  return new UnsupportedError("OVF_BUS", `a ${dialect} descriptor cannot have disks on ${bus}`, {
    advice: "choose --disk-bus sata, or --for virtualbox",
  });
}

/** A blank disk of which nothing tells the size. */
export function capacityMissing(diskId: string, written: string | undefined, where: Where): CorruptError {
  const found = written === undefined ? "no capacity" : `the capacity ${JSON.stringify(written)}`;
  return new CorruptError("OVF_CAPACITY_MISSING", `disk ${JSON.stringify(diskId)} has no file and ${found}`, { where });
}

/** A configuration was asked for that the descriptor does not offer. */
export function configurationUnknown(wanted: string, offered: readonly string[], where: Where): NotFoundError {
  const list = offered.map((id) => JSON.stringify(id)).join(", ");
  return new NotFoundError("OVF_CONFIGURATION_UNKNOWN", `there is no configuration ${JSON.stringify(wanted)}`, {
    where,
    advice: list === "" ? "the descriptor offers no configurations" : `choose one of ${list}`,
  });
}

/** A drive, a disk or a setting names a Disk or File id that the descriptor does not have. */
export function danglingReference(kind: string, id: string, by: string, where: Where): CorruptError {
  return new CorruptError("OVF_DANGLING_REFERENCE", `${by} refers to ${kind} ${JSON.stringify(id)}, which is missing`, {
    where,
  });
}

/** The descriptor has more bytes or more markup than the limit. */
export function descriptorTooLarge(amount: number, what: string, limit: number, where: Where): UnsupportedError {
  return new UnsupportedError("OVF_TOO_LARGE", `the descriptor has ${amount} ${what}, more than ${limit}`, { where });
}

/** The bytes are not text in any encoding that the descriptor could be in. */
export function encodingInvalid(encoding: string, where: Where): CorruptError {
  return new CorruptError("OVF_ENCODING", `the descriptor is not text in ${encoding}`, { where });
}

/** A reference that leaves the package: absolute, upwards, a URL or not a name at all. */
export function hrefUnsafe(href: string, why: string, where: Where): UnsupportedError {
  return new UnsupportedError("OVF_HREF_UNSAFE", `the reference ${JSON.stringify(href)} ${why}`, {
    where,
    advice: "put the file into the package and name it relative to the descriptor",
  });
}

/** Well-formed XML, but not a descriptor. */
export function notAnEnvelope(root: string, where: Where): CorruptError {
  return new CorruptError("OVF_NOT_AN_ENVELOPE", `the root element is ${JSON.stringify(root)}, not Envelope`, {
    where,
  });
}

/** A network adapter that the hypervisors of a dialect do not have. */
export function nicUnsupported(model: string, dialect: string): UnsupportedError {
  return new UnsupportedError("OVF_NIC", `a ${dialect} descriptor cannot have the network adapter ${model}`, {
    advice: "choose --nic e1000",
  });
}

/** Text for a descriptor with a character that XML 1.0 cannot carry. */
export function textUnwritable(element: string, code: number): OutputError {
  const character = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return new OutputError("OVF_TEXT_UNWRITABLE", `the text of ${element} holds ${character}, which XML cannot carry`, {
    advice: "give the name, label or property without control characters",
  });
}

/** More disks than the controllers of a kind take. */
export function tooManyDisks(count: number, bus: string, most: number): UnsupportedError {
  return new UnsupportedError("OVF_DISKS_TOO_MANY", `${count} disks do not fit on ${bus}, which takes ${most}`, {
    advice: "choose another --disk-bus",
  });
}

/** An Envelope in a namespace of no known version. */
export function versionUnknown(namespace: string, where: Where): UnsupportedError {
  return new UnsupportedError("OVF_VERSION_UNKNOWN", `the OVF namespace ${JSON.stringify(namespace)} is not known`, {
    where,
    advice: "OVF 0.9, 1.x and 2.x are read",
  });
}

/** DOCTYPE or an entity that XML itself does not define: they can name files of this machine or grow without bound. */
export function xmlEntity(what: string, where: Where): CorruptError {
  return new CorruptError("OVF_XML_ENTITY", `the descriptor has ${what}, which is refused`, { where });
}

/** The descriptor is not well-formed. */
export function xmlMalformed(why: string, where: Where, cause?: unknown): CorruptError {
  return new CorruptError("OVF_XML_MALFORMED", `the descriptor is not well-formed XML: ${why}`, { where, cause });
}

/** Elements are nested deeper than any real descriptor nests them. */
export function xmlTooDeep(limit: number, where: Where): UnsupportedError {
  return new UnsupportedError("OVF_XML_TOO_DEEP", `elements are nested deeper than ${limit}`, { where });
}
