import type { TarIndex } from "../archive/tar-index.ts";
import { type BytePath, displayPath, parentPath } from "../bytes/byte-path.ts";
import { type ByteSource, chunks } from "../bytes/byte-source.ts";
import { gunzip, isGzip } from "../bytes/gunzip.ts";
import { concat } from "../bytes/regions.ts";
import { spool } from "../bytes/spool.ts";
import type { Context, Diagnostic } from "../context.ts";
import { checkHref, hrefProblem } from "./href.ts";
import { findMember, type MemberStore, normalised, type StoredFile } from "./member-store.ts";
import type { Envelope, FileReference } from "./model.ts";
import { chunkMissing, chunkSizeWrong, compressionUnknown, memberMissing } from "./package-errors.ts";

/** What a file is to its package. `other` is also what nothing refers to. */
export type MemberRole =
  | "descriptor"
  | "manifest"
  | "certificate"
  | "disk"
  | "iso"
  | "nvram"
  | "message-bundle"
  | "other";

export interface Member extends StoredFile {
  readonly role: MemberRole;
}

/** An appliance as its files. It owns every source that it gives out: dispose it last. */
export interface Package extends AsyncDisposable {
  /** `disk` is a bare disk image: it has no envelope, and its one member is the image. */
  readonly kind: "ova" | "ovf" | "box" | "disk";
  readonly name: string;
  /** Bytes: of the archive once it is plain, or of all members of a folder. */
  readonly size: number;
  readonly envelope: Envelope | undefined;
  readonly descriptor: Member | undefined;
  readonly manifest: Member | undefined;
  readonly certificate: Member | undefined;
  /** In the order of the archive; of a folder the descriptor, what stands beside it under its name, and what it refers to. */
  readonly members: readonly Member[];
  /** The provider that a Vagrant box names. */
  readonly provider: string | undefined;
  /** The plain archive, for who wants to keep it to the byte; undefined for folders and bare disks. */
  readonly archive: { readonly source: ByteSource; readonly index: TarIndex } | undefined;
  /** Bytes written to temporary files so far. */
  readonly spooled: number;
  /** The member that a name means, in the order of findMember, relative to the descriptor; undefined if there is none. */
  find(name: string): Member | undefined;
  /** The member that holds a reference, or its pieces in order; empty if there is none. */
  membersOf(file: FileReference): readonly Member[];
  /**
   * The content of a reference: pieces joined, gzip undone (once, into a temporary file). Throws NotFoundError
   * OVF_MEMBER_MISSING, UnsupportedError OVF_HREF_UNSAFE, OVF_COMPRESSION, CorruptError OVF_CHUNK_MISSING,
   * OVF_CHUNK_SIZE.
   */
  open(file: FileReference): Promise<ByteSource>;
  /** The bytes of a member as they are stored. */
  openMember(member: StoredFile): Promise<ByteSource>;
  /**
   * What an image of this package means by a file name, looked up beside that image first (the descriptor if not given).
   * Throws NotFoundError OVF_MEMBER_MISSING, UnsupportedError OVF_HREF_UNSAFE.
   */
  resolve(name: string, beside?: StoredFile): Promise<ByteSource>;
}

/** What the opening of a package finds out before its files are told apart. */
export interface PackageParts {
  readonly kind: Package["kind"];
  readonly name: string;
  readonly store: MemberStore;
  readonly envelope?: Envelope | undefined;
  readonly descriptor?: StoredFile | undefined;
  readonly manifest?: StoredFile | undefined;
  readonly certificate?: StoredFile | undefined;
  /** All files, where they are known without being asked for. */
  readonly files?: readonly StoredFile[];
  readonly provider?: string | undefined;
  readonly archive?: Package["archive"];
  readonly spooled: number;
}

const FIRST_PIECE = ".000000000";
const ISO_FORMAT = /ecma-119/i;

/** A package out of its parts; it takes ownership of the store. */
export function assemblePackage(parts: PackageParts, ctx: Context): Package {
  return new OvfPackage(parts, ctx);
}

class OvfPackage implements Package {
  readonly kind: Package["kind"];
  readonly name: string;
  readonly size: number;
  readonly envelope: Envelope | undefined;
  readonly members: readonly Member[];
  readonly provider: string | undefined;
  readonly archive: Package["archive"];
  readonly #store: MemberStore;
  readonly #ctx: Context;
  /** The descriptor's, to which references are relative. */
  readonly #folder: BytePath;
  readonly #byName: ReadonlyMap<BytePath, Member>;
  readonly #opened = new Map<string, Promise<ByteSource>>();
  readonly #spools: ByteSource[] = [];
  readonly #told = new Set<string>();
  readonly #pieces = new Map<BytePath, readonly StoredFile[]>();
  #spooled: number;

  constructor(parts: PackageParts, ctx: Context) {
    this.kind = parts.kind;
    this.name = parts.name;
    this.envelope = parts.envelope;
    this.provider = parts.provider;
    this.archive = parts.archive;
    this.#store = parts.store;
    this.#ctx = ctx;
    this.#spooled = parts.spooled;
    this.#folder = parentPath(normalised(parts.descriptor?.name ?? ""));
    this.members = this.#withRoles(parts);
    this.#byName = new Map(this.members.map((member) => [member.name, member]));
    this.size = this.archive?.source.size ?? this.members.reduce((sum, { size }) => sum + size, 0);
  }

  get spooled(): number {
    return this.#spooled;
  }

  get descriptor(): Member | undefined {
    return this.#withRole("descriptor");
  }

  get manifest(): Member | undefined {
    return this.#withRole("manifest");
  }

  get certificate(): Member | undefined {
    return this.#withRole("certificate");
  }

  find(name: string): Member | undefined {
    const file = this.#find(name, this.#folder);
    return file && this.#member(file);
  }

  membersOf(file: FileReference): readonly Member[] {
    return this.#filesOf(file).map((found) => this.#member(found));
  }

  open(file: FileReference): Promise<ByteSource> {
    const known = this.#opened.get(file.href);
    if (known !== undefined) return known;
    const opened = this.#openReference(file);
    this.#opened.set(file.href, opened);
    return opened;
  }

  async openMember(member: StoredFile): Promise<ByteSource> {
    return await this.#store.open(member);
  }

  async resolve(name: string, beside?: StoredFile): Promise<ByteSource> {
    checkHref(name, { file: beside === undefined ? this.name : displayPath(beside.name) });
    const folder = beside === undefined ? this.#folder : parentPath(normalised(beside.name));
    const file = this.#find(name, folder);
    if (file === undefined) throw memberMissing(name, this.name);
    return await this.#store.open(file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#opened.values());
    for (const source of this.#spools) await source[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
  }

  #withRole(role: MemberRole): Member | undefined {
    return this.members.find((member) => member.role === role);
  }

  #member(file: StoredFile): Member {
    return this.#byName.get(file.name) ?? { ...file, role: "other" };
  }

  #tell(diagnostic: Diagnostic): void {
    const key = `${diagnostic.code} ${diagnostic.message}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#ctx.diagnostic(diagnostic);
  }

  #find(name: string, folder: BytePath): StoredFile | undefined {
    const found = findMember(this.#store, name, folder);
    if (found?.similar === true) {
      this.#tell({
        code: "OVF_MEMBER_SIMILAR",
        severity: "warning",
        message: `${JSON.stringify(name)} is taken for ${JSON.stringify(displayPath(found.file.name))}`,
        where: { file: this.name },
        advice: "other readers do not find a file whose name is spelled differently",
      });
    }
    return found?.file;
  }

  /** Pieces count only where the whole file is missing: some producers leave `.000000000` behind a name without chunkSize. */
  #filesOf({ href }: FileReference): readonly StoredFile[] {
    const whole = this.#find(href, this.#folder);
    if (whole !== undefined) return [whole];
    const first = this.#find(`${href}${FIRST_PIECE}`, this.#folder);
    if (first === undefined) return [];
    const known = this.#pieces.get(first.name);
    if (known !== undefined) return known;
    const stem = normalised(first.name).slice(0, -FIRST_PIECE.length);
    const pieces = [first];
    this.#pieces.set(first.name, pieces);
    for (;;) {
      const next = this.#store.exact(`${stem}.${`${pieces.length}`.padStart(9, "0")}`);
      if (next === undefined) break;
      pieces.push(next);
    }
    return pieces;
  }

  async #openReference(file: FileReference): Promise<ByteSource> {
    const where = { file: this.name };
    checkHref(file.href, where);
    const compression = file.compression.toLowerCase();
    if (compression !== "identity" && compression !== "gzip" && compression !== "") {
      throw compressionUnknown(file.compression, file.href, where);
    }
    const members = this.membersOf(file);
    const [first] = members;
    if (first === undefined) throw memberMissing(file.href, this.name);
    this.#checkSize(file, members);
    const sources = await Promise.all(members.map((member) => this.#store.open(member)));
    const [only] = sources;
    const stored = only !== undefined && sources.length === 1 ? only : concat(`${file.href} in ${this.name}`, sources);
    const isDisk = first.role === "disk" || first.role === "iso";
    return await this.#plain(stored, compression === "gzip", isDisk);
  }

  #checkSize(file: FileReference, members: readonly Member[]): void {
    for (const piece of members.slice(1, -1)) {
      const expected = members[0]?.size;
      if (expected === undefined || piece.size === expected) continue;
      throw chunkSizeWrong(displayPath(piece.name), expected, piece.size, { file: this.name });
    }
    const size = members.reduce((sum, member) => sum + member.size, 0);
    if (file.size === undefined || file.size === size) return;
    if (members.length > 1 && size < file.size) {
      throw chunkMissing(file.href, file.size, size, { file: this.name });
    }
    this.#tell({
      code: "OVF_FILE_SIZE",
      severity: "warning",
      message: `${JSON.stringify(file.href)} has ${size} bytes, but the descriptor says ${file.size}`,
      where: { file: this.name },
    });
  }

  /** Gzip is undone where it is declared, and for disks also where it is not: some producers forget to say so. */
  async #plain(stored: ByteSource, declared: boolean, isDisk: boolean): Promise<ByteSource> {
    if (!declared && !isDisk) return stored;
    const packed = isGzip(await stored.read(0, Math.min(2, stored.size)));
    const where = { file: stored.name };
    if (packed !== declared) {
      const message = packed
        ? "gzip data that the descriptor calls plain"
        : "plain data that the descriptor calls gzip";
      this.#tell({ code: "OVF_GZIP_UNDECLARED", severity: "warning", message, where });
    }
    if (!packed) return stored;
    const plain = await spoolPlain(stored, stored.name, this.#ctx);
    this.#spools.push(plain);
    this.#spooled += plain.size;
    return plain;
  }

  #withRoles(parts: PackageParts): readonly Member[] {
    const roles = new Map<BytePath, MemberRole>();
    const files: StoredFile[] = [...(parts.files ?? [])];
    const add = (file: StoredFile | undefined, role: MemberRole): void => {
      if (file === undefined) return;
      if (parts.files === undefined && !roles.has(file.name)) files.push(file);
      if (!roles.has(file.name) || roles.get(file.name) === "other") roles.set(file.name, role);
    };
    add(parts.descriptor, "descriptor");
    add(parts.manifest, "manifest");
    add(parts.certificate, "certificate");
    for (const file of this.envelope?.files ?? []) {
      if (hrefProblem(file.href) !== undefined) continue;
      const role = roleOf(file, this.envelope as Envelope);
      const found = this.#filesOf(file);
      // A descriptor may name the same thousands of pieces in thousands of spellings.
      if (found[0] !== undefined && roles.get(found[0].name) === role) continue;
      for (const each of found) add(each, role);
    }
    if (parts.kind === "disk") for (const file of files) add(file, "disk");
    return files.map((file) => ({ ...file, role: roles.get(file.name) ?? "other" }));
  }
}

function roleOf(file: FileReference, { disks, strings }: Envelope): MemberRole {
  const disk = disks.find((candidate) => candidate.file === file);
  if (/\.iso(\.gz)?$/i.test(file.href) || ISO_FORMAT.test(disk?.format ?? "")) return "iso";
  if (disk !== undefined) return "disk";
  if (/\.nvram$/i.test(file.href)) return "nvram";
  return file.id !== undefined && strings.some(({ fileRef }) => fileRef === file.id) ? "message-bundle" : "other";
}

/** The plain bytes of gzip data, in a temporary file. The caller owns it. */
export async function spoolPlain(packed: ByteSource, name: string, ctx: Context): Promise<ByteSource> {
  const plain = await spool(gunzip(bytesOf(packed), packed.name), name, ctx);
  tellSpooled(plain, "is gzip and was decompressed", ctx);
  return plain;
}

export function tellSpooled(source: ByteSource, why: string, ctx: Context): void {
  ctx.diagnostic({
    code: "OVF_SPOOLED",
    severity: "info",
    message: `the input ${why} once into a temporary file of ${source.size} bytes`,
    where: { file: source.name },
  });
}

async function* bytesOf(source: ByteSource): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks(source)) {
    if (chunk.kind === "data") yield chunk.bytes;
    else yield* zeros(chunk.length);
  }
}

function* zeros(length: number): Generator<Uint8Array, void> {
  const page = new Uint8Array(Math.min(length, 64 << 10));
  for (let left = length; left > 0; left -= page.length) yield page.subarray(0, Math.min(left, page.length));
}
