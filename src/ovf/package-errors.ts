import { CorruptError, NotFoundError, UnsupportedError, UsageError, type Where } from "../errors.ts";

const quote = (text: string): string => JSON.stringify(text);

function list(names: readonly string[]): string {
  return names.length === 0 ? "nothing" : names.map(quote).join(", ");
}

export function certificateDamaged(why: string, where: Where, cause?: unknown): CorruptError {
  return new CorruptError("CERTIFICATE_DAMAGED", `the certificate file ${why}`, { where, cause });
}

export function signatureWrong(signer: string, where: Where): CorruptError {
  return new CorruptError(
    "CERTIFICATE_SIGNATURE_MISMATCH",
    `the manifest does not carry the signature of ${quote(signer)}`,
    {
      where,
      advice: "download or export the package again; --no-verify converts it as it is",
    },
  );
}

export function digestMismatch(
  name: string,
  algorithm: string,
  expected: string,
  found: string,
  where: Where,
): CorruptError {
  return new CorruptError(
    "MANIFEST_DIGEST_MISMATCH",
    `${quote(name)} does not match the manifest: ${algorithm} ${expected} is expected, ${found} is found`,
    { where, advice: "download or export the package again; --no-verify converts it as it is" },
  );
}

export function boxWithoutDescriptor(provider: string, file: string): UnsupportedError {
  return new UnsupportedError("OVF_BOX_PROVIDER", `the box is for the provider ${quote(provider)} and holds no .ovf`, {
    where: { file },
    advice: "unpack the box and give the disk image that is inside",
  });
}

export function chunkMissing(href: string, expected: number, found: number, where: Where): CorruptError {
  const sentence = `the pieces of ${quote(href)} have ${found} of ${expected} bytes`;
  return new CorruptError("OVF_CHUNK_MISSING", sentence, { where });
}

export function chunkSizeWrong(name: string, expected: number, found: number, where: Where): CorruptError {
  const sentence = `${quote(name)} has ${found} bytes, but every piece except the last should have ${expected}`;
  return new CorruptError("OVF_CHUNK_SIZE", sentence, { where });
}

export function compressionUnknown(compression: string, href: string, where: Where): UnsupportedError {
  return new UnsupportedError("OVF_COMPRESSION", `${quote(href)} is compressed with ${quote(compression)}`, { where });
}

export function descriptorAmbiguous(names: readonly string[], file: string): UsageError {
  return new UsageError("OVF_DESCRIPTOR_AMBIGUOUS", `the folder holds ${names.length} descriptors: ${list(names)}`, {
    where: { file },
    advice: "name the .ovf file instead of the folder",
  });
}

/** `present` are the first names that are there instead. */
export function descriptorMissing(present: readonly string[], advice: string | undefined, file: string): CorruptError {
  return new CorruptError(
    "OVF_DESCRIPTOR_MISSING",
    `there is no .ovf in the package, which begins with ${list(present)}`,
    {
      where: { file },
      ...(advice === undefined ? {} : { advice }),
    },
  );
}

export function memberDuplicate(name: string, file: string, offset: number): CorruptError {
  return new CorruptError(
    "OVF_MEMBER_DUPLICATE",
    `the archive holds ${quote(name)} twice, and readers do not agree which of them counts`,
    { where: { file, offset } },
  );
}

export function memberMissing(name: string, file: string): NotFoundError {
  return new NotFoundError("OVF_MEMBER_MISSING", `the package does not hold ${quote(name)}`, { where: { file } });
}

export function memberNotRegular(name: string, file: string): UnsupportedError {
  return new UnsupportedError("OVF_MEMBER_NOT_REGULAR", `${quote(name)} is a folder, device or pipe`, {
    where: { file },
  });
}

export function memberOutside(name: string, file: string): UnsupportedError {
  return new UnsupportedError("OVF_MEMBER_OUTSIDE", `${quote(name)} is a link that leads out of the package`, {
    where: { file },
    advice: "put the file itself into the folder",
  });
}

export function packageUnrecognised(suffix: string, file: string): CorruptError {
  return new CorruptError("OVF_PACKAGE_UNRECOGNISED", `this is no tar archive, although its name ends in ${suffix}`, {
    where: { file },
  });
}

export function packageWrapped(format: string, file: string): UnsupportedError {
  return new UnsupportedError("OVF_PACKAGE_WRAPPED", `this is ${format}, not a package`, {
    where: { file },
    advice: "unpack it and give what is inside",
  });
}
