import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fixture } from "./needs.ts";

/** A form in which a disk can be stored, and how to store a raw one so: the answer is the file to open. */
export interface Container {
  readonly name: string;
  make(raw: string, folder: string): string;
}

function run(folder: string, program: string, ...parameters: string[]): void {
  execFileSync(program, parameters, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
}

/** What qemu-img makes, with these options, under the name that its descriptors are to hold. */
function converted(format: string, name: string, ...options: string[]): Container["make"] {
  return (raw, folder) => {
    const chosen = options.flatMap((option) => (option.startsWith("-") ? [option] : ["-o", option]));
    run(folder, "qemu-img", "convert", "-f", "raw", "-O", format, ...chosen, raw, name);
    return join(folder, name);
  };
}

/** A child of its whole disk, in which nothing is written. */
function layered(format: string): Container["make"] {
  return (raw, folder) => {
    converted(format, `base.${format}`)(raw, folder);
    run(folder, "qemu-img", "create", "-q", "-f", format, "-F", format, "-b", `base.${format}`, `child.${format}`);
    return join(folder, `child.${format}`);
  };
}

function packed(inner: Container["make"]): Container["make"] {
  return (raw, folder) => {
    const path = inner(raw, folder);
    run(folder, "gzip", "-1", path);
    return `${path}.gz`;
  };
}

const VMDK_FORMS = [
  "monolithicSparse",
  "streamOptimized",
  "monolithicFlat",
  "twoGbMaxExtentSparse",
  "twoGbMaxExtentFlat",
] as const;

/** Every container that this machine's tools write. */
export const CONTAINERS: readonly Container[] = [
  {
    name: "vmdk stream, directory at the end",
    make(raw, folder) {
      execFileSync("sh", ["-c", 'python3 "$0" "$1" > disk.vmdk', fixture("vmdk", "stream.py"), raw], { cwd: folder });
      return join(folder, "disk.vmdk");
    },
  },
  ...VMDK_FORMS.map((form) => ({
    name: `vmdk ${form}`,
    make: converted("vmdk", "disk.vmdk", `subformat=${form}`),
  })),
  { name: "vmdk zeroed grains", make: converted("vmdk", "disk.vmdk", "subformat=monolithicSparse,zeroed_grain=on") },
  { name: "vmdk over another", make: layered("vmdk") },
  { name: "vmdk in gzip", make: packed(converted("vmdk", "disk.vmdk", "subformat=streamOptimized")) },
  { name: "vdi dynamic", make: converted("vdi", "disk.vdi") },
  { name: "vdi static", make: converted("vdi", "disk.vdi", "static=on") },
  { name: "vhd dynamic", make: converted("vpc", "disk.vhd", "force_size=on") },
  { name: "vhd fixed", make: converted("vpc", "disk.vhd", "subformat=fixed,force_size=on") },
  { name: "vhdx dynamic", make: converted("vhdx", "disk.vhdx") },
  { name: "vhdx fixed", make: converted("vhdx", "disk.vhdx", "subformat=fixed") },
  { name: "qcow2 v2", make: converted("qcow2", "disk.qcow2", "compat=0.10") },
  { name: "qcow2 v3 zlib", make: converted("qcow2", "disk.qcow2", "-c") },
  { name: "qcow2 v3 zstd", make: converted("qcow2", "disk.qcow2", "-c", "compression_type=zstd") },
  {
    name: "qcow2 extended L2",
    make: converted("qcow2", "disk.qcow2", "extended_l2=on,cluster_size=128k"),
  },
  { name: "qcow2 clusters of 512", make: converted("qcow2", "disk.qcow2", "cluster_size=512") },
  { name: "qcow2 with a data file", make: converted("qcow2", "disk.qcow2", "data_file=data.raw,data_file_raw=on") },
  { name: "qcow2 over another", make: layered("qcow2") },
];
