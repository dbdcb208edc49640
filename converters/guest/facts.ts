import type { Port } from "./ports.ts";

/** What is known of a machine besides its files: mostly from its OVF descriptor. Everything may be missing. */
export interface GuestFacts {
  /** The virtual system's name. */
  readonly name?: string;
  /** OVF ProductSection. */
  readonly product?: string;
  readonly version?: string;
  readonly vendor?: string;
  readonly productUrl?: string;
  /** OVF AnnotationSection. */
  readonly description?: string;
  /** All texts of the EULA sections. */
  readonly eula?: string;
  /** OVF ProductSection properties: full keys to values. Those that begin with LABEL_PREFIX configure the image. */
  readonly properties?: ReadonlyMap<string, string>;
  /** In OCI's words, as far as the descriptor's operating system type tells. */
  readonly architecture?: string;
  readonly firmware?: "bios" | "efi";
  /** Guest ports of VirtualBox's NAT forwarding rules: what somebody wanted to reach from outside. */
  readonly forwardedPorts?: readonly Port[];
  /** File names of the disks. */
  readonly disks?: readonly string[];
  /** Of the package, as `sha256:...`. */
  readonly sourceDigest?: string;
  readonly toolVersion?: string;
  /** The value of the label that brings the machine's hardware back. */
  readonly hardware?: string;
}
