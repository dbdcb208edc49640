/** The values used last, up to a weight in bytes. The newest value is kept even if it alone is heavier. */
export class ByteCache<V> {
  readonly #most: number;
  readonly #entries = new Map<number, { readonly value: V; readonly weight: number }>();
  #weight = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: number): V | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found.value;
  }

  set(key: number, value: V, weight: number): V {
    this.#remove(key);
    this.#entries.set(key, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#entries.keys()) {
      if (this.#weight <= this.#most || oldest === key) break;
      this.#remove(oldest);
    }
    return value;
  }

  #remove(key: number): void {
    this.#weight -= this.#entries.get(key)?.weight ?? 0;
    this.#entries.delete(key);
  }
}
