/** What one descriptor of the corpus must read as: set down from the descriptor by another XML parser and by eye. */
export type Row = FailingRow | ReadRow;

interface FailingRow {
  readonly because?: string;
  /** The code of the error that refuses the descriptor. */
  readonly error: string;
}

export interface ReadRow {
  /** What is not plain about the expectations. */
  readonly because?: string;
  /** Version and producer. */
  readonly is: string;
  readonly has: string;
  /** The ids, a star behind the one that is chosen. */
  readonly configurations?: string;
  /** The codes of all diagnostics, each once, sorted. */
  readonly warnings?: string;
  /** The code of the error that refuses the hardware of a system; its drives and adapters are not listed then. */
  readonly hardwareError?: string;
  /**
   * A system is "id | name | OS ids | families | processors, memory, firmware", then its drives as
   * "kind controller:unit content" and its network adapters as "nic model@network".
   */
  readonly systems: readonly (readonly string[])[];
}
