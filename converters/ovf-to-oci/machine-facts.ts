import type { Machine } from "../machine/machine.ts";
import type { SourceFacts } from "../result.ts";

/** What a result tells of a machine without looking into its files. */
export function machineFacts(machine: Machine): Omit<SourceFacts, "ref"> {
  const { firmware } = machine.hardware ?? {};
  return {
    size: machine.package.size,
    kind: machine.package.kind,
    vm: machine.name,
    ...(firmware === undefined ? {} : { firmware }),
    disks: machine.disks.map(({ disk, device, member }) => ({
      file: member?.name ?? device,
      format: disk.format,
      capacity: disk.size,
      ...(disk.storedBytes === undefined ? {} : { used: disk.storedBytes }),
    })),
  };
}
