import type { Awaitable, ByteSource, Extent } from "../bytes/byte-source.ts";
import type { Volume } from "./volume-system.ts";

/** What a group says of one of its volumes. */
export type VolumeFacts = Pick<Volume, "id" | "type" | "typeName" | "uuid">;

/** A volume that is no run of one disk: a logical volume, an array. It borrows what it is made of. */
export class JoinedVolume implements Volume {
  readonly name: string;
  readonly size: number;
  readonly id: string;
  readonly type: string;
  readonly typeName: string;
  readonly uuid: string | undefined;
  readonly label = undefined;
  readonly bootable = false;
  readonly start = undefined;
  readonly #content: ByteSource;

  constructor(facts: VolumeFacts, content: ByteSource) {
    this.name = content.name;
    this.size = content.size;
    this.id = facts.id;
    this.type = facts.type;
    this.typeName = facts.typeName;
    this.uuid = facts.uuid;
    this.#content = content;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    return this.#content.read(offset, length);
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    return this.#content.extentAt(offset, limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
