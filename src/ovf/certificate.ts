import { verify, X509Certificate } from "node:crypto";
import { displayPath } from "../bytes/byte-path.ts";
import { readAll } from "../bytes/byte-source.ts";
import type { Context } from "../context.ts";
import { type ManifestLine, parseManifestLine } from "./manifest.ts";
import type { Package } from "./package.ts";
import { certificateDamaged, signatureWrong } from "./package-errors.ts";

/** Who signed a manifest. Whether that somebody can be trusted is for the reader to judge. */
export interface CertificateReport {
  /** The member that holds it. */
  readonly certificate: string;
  /** X.500 names, one line an attribute. */
  readonly subject: string;
  readonly issuer: string;
  readonly validFrom: Date;
  readonly validTo: Date;
  /** The signer vouches for himself. */
  readonly selfSigned: boolean;
  /** The digest of the signature, as written. */
  readonly algorithm: string;
}

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/;

/**
 * Checks the signature of the package's manifest: over the manifest's bytes as they are, with the digest that the first line
 * of the certificate file names (DSP0243 5.1), which need not be the manifest's. Undefined if nothing is signed; a certificate
 * without a manifest is a warning. Throws CorruptError CERTIFICATE_SIGNATURE_MISMATCH, CERTIFICATE_DAMAGED.
 */
export async function verifyCertificate(opened: Package, ctx: Context): Promise<CertificateReport | undefined> {
  const { certificate: member, manifest } = opened;
  if (member === undefined) return undefined;
  const source = await opened.openMember(member);
  const where = { file: source.name };
  if (manifest === undefined) {
    const message = "there is a certificate but no manifest that it could have signed";
    ctx.diagnostic({ code: "CERTIFICATE_ALONE", severity: "warning", message, where });
    return undefined;
  }
  const limit = ctx.limits.descriptorBytes;
  const text = Buffer.from(await readAll(source, limit)).toString("latin1");
  const line = signatureLine(text);
  if (line?.algorithm === undefined) throw certificateDamaged("does not begin with a signature", where);
  const [pem] = PEM.exec(text) ?? [];
  if (pem === undefined) throw certificateDamaged("holds no certificate", where);
  const signed = await readAll(await opened.openMember(manifest), limit);
  return check({ pem, line, signed, file: source.name, certificate: displayPath(member.name) });
}

function signatureLine(text: string): ManifestLine | undefined {
  const first = text.split(/\r?\n/).find((line) => line.trim() !== "");
  return first === undefined ? undefined : parseManifestLine(first.trim(), 1);
}

interface Signed {
  readonly pem: string;
  readonly line: ManifestLine;
  readonly signed: Uint8Array;
  readonly file: string;
  readonly certificate: string;
}

function check({ pem, line, signed, file, certificate }: Signed): CertificateReport {
  const where = { file };
  let x509: X509Certificate;
  let isRight: boolean;
  try {
    x509 = new X509Certificate(pem);
    isRight = verify(line.algorithm, signed, x509.publicKey, Buffer.from(line.value, "hex"));
  } catch (cause) {
    throw certificateDamaged("cannot be used", where, cause);
  }
  if (!isRight) throw signatureWrong(x509.subject.replaceAll("\n", ", "), where);
  return {
    certificate,
    subject: x509.subject,
    issuer: x509.issuer,
    validFrom: new Date(x509.validFrom),
    validTo: new Date(x509.validTo),
    selfSigned: x509.checkIssued(x509) && x509.verify(x509.publicKey),
    algorithm: line.algorithmText,
  };
}
