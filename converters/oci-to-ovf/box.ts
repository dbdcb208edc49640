import { createHash } from "node:crypto";

/**
 * What makes an archive a Vagrant box for VirtualBox. The provider needs the hardware address of the first adapter, which it
 * sets itself; shared folders need additions in the guest that nobody put there.
 */
export function boxFiles(identity: string): { readonly name: string; readonly bytes: Uint8Array }[] {
  const mac = `080027${createHash("sha256").update(identity).digest("hex").slice(0, 6).toUpperCase()}`;
  const lines = [
    'Vagrant.configure("2") do |config|',
    `  config.vm.base_mac = "${mac}"`,
    '  config.vm.synced_folder ".", "/vagrant", disabled: true',
    "end",
    "",
  ];
  return [
    { name: "metadata.json", bytes: Buffer.from(`${JSON.stringify({ provider: "virtualbox" })}\n`) },
    { name: "Vagrantfile", bytes: Buffer.from(lines.join("\n")) },
  ];
}
