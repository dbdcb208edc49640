import { CLUSTER_BYTES } from "./structures.ts";

/** Of 16 bits each: refcount_order 4. */
const ENTRIES = CLUSTER_BYTES / 2;

/** How often each cluster of the image is referred to; QEMU docs/interop/qcow2.txt, "Host cluster management". */
export class Refcounts {
  readonly #blocks: Uint16Array[] = [];
  /** Clusters from the file's beginning that have been counted. */
  #end = 0;

  /** Counts one more reference to every cluster that the range touches. Bytes. */
  add(offset: number, length: number): void {
    const last = Math.floor((offset + length - 1) / CLUSTER_BYTES);
    for (let cluster = Math.floor(offset / CLUSTER_BYTES); cluster <= last; cluster++) {
      const block = this.#block(Math.floor(cluster / ENTRIES));
      block[cluster % ENTRIES] = (block[cluster % ENTRIES] ?? 0) + 1;
    }
    this.#end = Math.max(this.#end, last + 1);
  }

  /** The blocks and the table of them, as they stand at the end of the image, where they count themselves. */
  finish(): { readonly tableOffset: number; readonly tableClusters: number; readonly bytes: readonly Uint8Array[] } {
    const start = this.#end;
    let blocks = 0;
    let tableClusters = 0;
    for (let needed = 1; needed > blocks; ) {
      blocks = needed;
      tableClusters = Math.ceil((blocks * 8) / CLUSTER_BYTES);
      needed = Math.ceil((start + blocks + tableClusters) / ENTRIES);
    }
    this.add(start * CLUSTER_BYTES, (blocks + tableClusters) * CLUSTER_BYTES);
    const table = Buffer.alloc(tableClusters * CLUSTER_BYTES);
    const bytes: Uint8Array[] = this.#blocks.map((block, n) => {
      table.writeBigUInt64BE(BigInt((start + n) * CLUSTER_BYTES), n * 8);
      return Buffer.from(block.buffer).swap16();
    });
    return { tableOffset: (start + blocks) * CLUSTER_BYTES, tableClusters, bytes: [...bytes, table] };
  }

  #block(index: number): Uint16Array<ArrayBuffer> {
    while (this.#blocks.length <= index) this.#blocks.push(new Uint16Array(ENTRIES));
    return this.#blocks[index] as Uint16Array<ArrayBuffer>;
  }
}
