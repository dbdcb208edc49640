import { displayPath } from "../../src/bytes/byte-path.ts";
import { OutputFile } from "../../src/bytes/output-file.ts";
import { OutputFolder } from "../../src/bytes/output-folder.ts";
import type { Diagnostic } from "../../src/context.ts";
import type { ImageConversion, SourceImage } from "../conversion.ts";
import { targetWrong } from "../package-form/errors.ts";
import { readPackageFacts } from "../package-form/facts.ts";
import type { PackageLayout } from "../package-form/layout.ts";
import type { Reference } from "../reference.ts";
import type { SourceFacts } from "../result.ts";
import { folderMembers, readArtifact, writeFile, writeFolder } from "./package.ts";

/** An artifact of `--as package` back into the package that it was, byte for byte. */
export const conversion: ImageConversion = {
  async plan(from, _request, { to }) {
    const artifact = await readArtifact(from);
    const isFolder = becomesFolder(artifact.layout, to);
    const uses = isFolder
      ? folderMembers(artifact).map(({ path, size }) => `${displayPath(path)} (${size} bytes)`)
      : [`${artifact.layout.name} (${artifact.layout.size} bytes)`];
    return { form: "package", uses, omissions: [], secrets: [], tempBytes: 0 };
  },

  async run(from, { force = false }, { to }, ctx) {
    const artifact = await readArtifact(from);
    const { layout } = artifact;
    let { size } = layout;
    if (becomesFolder(layout, to)) {
      const members = folderMembers(artifact);
      size = members.reduce((sum, member) => sum + member.size, 0);
      await using folder = await OutputFolder.open(to.details, { force });
      await writeFolder(artifact, members, folder, ctx);
    } else {
      await using file = await OutputFile.open(to.details, { force }, ctx);
      await writeFile(artifact, file, ctx);
      if (/\.gz$/i.test(layout.name) && !/(\.gz|^-)$/i.test(to.details))
        ctx.diagnostic(compressed(layout.name, to.details));
    }
    return {
      source: sourceFacts(from),
      target: { mode: "package", size },
      bytesWritten: size,
      bytesReused: 0,
      tempBytes: 0,
    };
  },
};

/** Throws UsageError PACKAGE_TARGET where the bytes would not be what the destination's name says. */
function becomesFolder({ shape, transport, name }: PackageLayout, { transport: target, details }: Reference): boolean {
  if (target === "ovf" && shape !== "file") {
    if (/\.ovf$/i.test(details) || details === "-") throw targetWrong("a package", "one .ovf", "ovf:FOLDER");
    return true;
  }
  if (shape === "folder") throw targetWrong(`the folder of ${name}`, `${target}:`, "ovf:FOLDER");
  if (target !== transport) throw targetWrong(name, `${target}:`, `${transport}:FILE`);
  return false;
}

/** The same bytes are the promise, whatever they are called. */
function compressed(name: string, file: string): Diagnostic {
  return {
    code: "PACKAGE_COMPRESSED",
    severity: "warning",
    message: `the file is compressed as ${JSON.stringify(name)} was`,
    where: { file },
    advice: "call it .gz, or decompress it before others read it",
  };
}

function sourceFacts({ image }: SourceImage): Omit<SourceFacts, "ref"> {
  const facts = readPackageFacts(image.manifest);
  const vm = facts?.machines[0]?.name;
  return { size: image.descriptor.size, kind: facts?.kind ?? "package", ...(vm === undefined ? {} : { vm }) };
}
