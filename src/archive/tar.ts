import { pack } from "tar-stream";
import { contentSizeWrong, nameUnsafe } from "./errors.ts";
import { NAME } from "./tar-encode.ts";

/** A file for an archive that carries other files: an OVA, oci-archive or docker-archive. */
export interface TarFile {
  /** 1 to 100 ASCII characters: longer ones and others need extended headers, which VirtualBox and vSphere refuse. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Exactly `size` bytes. */
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** 0o644 if absent. */
  readonly mode?: number;
  /** Seconds since 1970; 0 if absent. */
  readonly mtime?: number;
}

/**
 * A tar archive in ustar form with the files in their order, owned by user 0, ended by two zero blocks. Content is asked for
 * only as the archive is read. Throws OutputError for a name that some reader would not understand and for content that is
 * not as long as announced.
 */
export async function* writeTar(files: Files): AsyncGenerator<Uint8Array, void> {
  const archive = pack();
  let failure: unknown;
  const feeding = feed(archive, files).catch((cause: unknown) => {
    failure = cause;
    archive.destroy(cause instanceof Error ? cause : new Error(String(cause)));
  });
  try {
    for await (const block of archive) yield block as Uint8Array;
  } catch (cause) {
    throw failure ?? cause;
  } finally {
    archive.destroy();
    await feeding;
  }
}

type Files = AsyncIterable<TarFile> | Iterable<TarFile>;
type Archive = ReturnType<typeof pack>;
type Sink = ReturnType<Archive["entry"]>;

/** Ends early, without an error of its own, once the archive was destroyed because nobody reads it any more. */
async function feed(archive: Archive, files: Files): Promise<void> {
  for await (const file of files) {
    if (archive.destroying) return;
    if (!NAME.test(file.name)) throw nameUnsafe(file.name);
    await feedFile(archive, file);
  }
  archive.finalize();
}

async function feedFile(archive: Archive, { name, size, content, mode = 0o644, mtime = 0 }: TarFile): Promise<void> {
  let sink: Sink | undefined;
  const written = new Promise<void>((resolve, reject) => {
    const header = { name, size, mode, mtime: new Date(mtime * 1000) };
    sink = archive.entry(header, (error) => (error ? reject(error) : resolve()));
    sink.on("error", reject);
  });
  written.catch(() => {});
  if (sink === undefined) return await written;
  let fed = 0;
  for await (const bytes of content) {
    fed += bytes.length;
    if (fed > size) throw contentSizeWrong(name, size, fed);
    if (!sink.write(bytes)) await drained(sink);
    if (sink.destroying) return;
  }
  if (fed < size) throw contentSizeWrong(name, size, fed);
  sink.end(null);
  await written;
}

function drained(sink: Sink): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      sink.off("drain", done);
      sink.off("close", done);
      resolve();
    };
    sink.on("drain", done);
    sink.on("close", done);
  });
}
