import type { Context } from "../../src/context.ts";
import { verifyCertificate } from "../../src/ovf/certificate.ts";
import { type ManifestReport, verifyManifest } from "../../src/ovf/manifest.ts";
import type { Package } from "../../src/ovf/package.ts";

/**
 * Does `work` while the package's digests and its certificate are checked beside it; a wrong one ends the work at once. Both
 * have proved right when this returns, so that the caller may commit. Without `verify` nothing is checked.
 */
export async function whileVerifying<T>(
  pkg: Package,
  verify: boolean,
  ctx: Context,
  work: (ctx: Context) => Promise<T>,
): Promise<{ readonly result: T; readonly verified: ManifestReport | undefined }> {
  const stop = new AbortController();
  const running = { ...ctx, signal: AbortSignal.any([ctx.signal, stop.signal]) };
  const verification = verify ? verifyPackage(pkg, running) : Promise.resolve(undefined);
  verification.catch((cause) => stop.abort(cause));
  try {
    const result = await work(running);
    return { result, verified: await verification };
  } catch (cause) {
    stop.abort(cause);
    throw cause;
  } finally {
    await Promise.allSettled([verification]);
  }
}

async function verifyPackage(pkg: Package, ctx: Context): Promise<ManifestReport> {
  const signed = await verifyCertificate(pkg, ctx);
  if (signed !== undefined)
    ctx.log.info({ subject: signed.subject, selfSigned: signed.selfSigned }, "the manifest's signature holds");
  return await verifyManifest(pkg, ctx);
}
