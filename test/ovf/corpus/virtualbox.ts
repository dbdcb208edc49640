import type { Row } from "./row.ts";

export const VIRTUALBOX: Readonly<Record<string, Row>> = {
  "template-coreos-virtualbox.xml": {
    because: "placeholders stand where numbers will be",
    is: "1 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    warnings: "OVF_CAPACITY_MISSING OVF_NUMBER_INVALID",
    systems: [
      [
        "{vsphere_image_name} | {vsphere_image_name} | 100 Fedora_64 | virtualbox-2.2 | ? ? efi",
        "disk sata0:0 vmdisk1 ? disk.vmdk",
        "nic E1000@NAT",
      ],
    ],
  },
  "vbox-3.0-all-controllers.ovf": {
    is: "1 virtualbox",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vbox5 | - | 93 | virtualbox-2.2 | 1 384M",
        "floppy -:0 empty",
        "floppy -:0 empty",
        "disk ide1:0 vmdisk1 4M vbox5.vmdk",
        "disk sata0:1 vmdisk2 10G vbox2.vmdk",
        "nic PCNet32@NAT",
      ],
    ],
  },
  "vbox-3.0-default-0.9.ovf": {
    because: "calls itself vmx-6, with one digit",
    is: "0.9 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vbox1 | - | 67 | vmx-6 | 1 192M",
        "floppy -:0 empty",
        "disk ide1:0 vmdisk1 10G vbox1.vmdk",
        "cd ide1:0 empty",
        "nic PCNet32@NAT",
      ],
    ],
  },
  "vbox-3.0-default.ovf": {
    is: "1 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vbox1 | - | 67 | virtualbox-2.2 | 1 192M",
        "floppy -:0 empty",
        "disk ide1:0 vmdisk1 10G vbox1.vmdk",
        "cd ide1:0 empty",
        "nic PCNet32@NAT",
      ],
    ],
  },
  "vbox-3.0-four-nics-no-disks.ovf": {
    is: "1 virtualbox",
    has: "0 files, 0 disks, 4 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vbox10 | - | 67 | virtualbox-2.2 | 1 192M",
        "nic PCNet32@NAT",
        "nic PCNet32@Bridged",
        "nic E1000@Internal",
        "nic E1000@HostOnly",
      ],
    ],
  },
  "vbox-3.0-snapshot-disks.ovf": {
    is: "1 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vbox14 | - | 67 | virtualbox-2.2 | 1 192M",
        "floppy -:0 empty",
        "disk ide1:0 vmdisk1 10G {0d71abb2-e01f-4ac4-9881-5a80a599128c}.vmdk",
        "cd ide1:0 empty",
        "nic PCNet32@NAT",
      ],
    ],
  },
  "vbox-s1.10-winxp-sharedfolders.ovf": {
    is: "1 virtualbox",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "Windows 5.1 XP 1 | - | 67 | virtualbox-2.2 | 1 895M bios",
        "floppy -:0 empty",
        "disk ide0:0 vmdisk1 10000M Windows 5.1 XP 1 merged.vmdk",
        "disk ide0:1 vmdisk2 2G smallvdi.vmdk",
        "cd ide1:0 empty",
        "nic PCNet32@NAT",
      ],
    ],
  },
  "vbox-s1.12-box-tsuru.ovf": {
    is: "1 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "ubuntu-cloudimg-trusty-vagrant-amd64 | - | 94 Ubuntu_64 | virtualbox-2.2 | 1 512M bios",
        "disk sata0:0 vmdisk1 40G box-disk.vmdk",
        "nic E1000@NAT",
      ],
    ],
  },
  "vbox-s1.12-ovf2.0-ubuntu.ovf": {
    is: "2 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "ubuntu | - | 94 Ubuntu_64 | virtualbox-2.2 | 1 512M bios",
        "disk sata0:0 vmdisk1 8G ubuntu.2.0-disk1.vmdk",
        "cd ide1:0 empty",
        "nic E1000@NAT",
      ],
    ],
  },
  "vbox-s1.15-box-cisco-nxos.ovf": {
    is: "1 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "edev | - | 102 Linux_64 | virtualbox-2.2 | 2 8196M efi",
        "disk sata0:0 vmdisk1 4G box-disk1.vmdk",
        "cd sata0:1 empty",
        "nic E1000@NAT",
      ],
    ],
  },
  "vbox-s1.15-box-smartos-iso.ovf": {
    because: "Property elements of vbox:Machine are no OVF properties",
    is: "1 virtualbox",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vagrant-smartos-cpp | - | 81 OpenSolaris_64 | virtualbox-2.2 | 1 1G bios",
        "disk ide0:0 vmdisk1 8000M box-disk001.vmdk",
        "cd ide0:1 iso2 275936K box-disk002.iso",
        "nic E1000@NAT",
      ],
    ],
  },
  "vbox-s1.16-haos-hybrid-vmware.ovf": {
    because: "for VMware and VirtualBox in one: vbox:Machine makes it VirtualBox’s",
    is: "1 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "HomeAssistant | Home Assistant | 102 otherGuest64 | vmx-10 | 2 2G efi",
        "disk scsi0:0 vmdisk1 32G home-assistant.vmdk",
        "nic E1000@Bridged",
      ],
    ],
  },
  "vbox-s1.19-ubuntu22-two-cds.ovf": {
    is: "1 virtualbox",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "Ubuntu | - | 94 Ubuntu22_LTS_64 | virtualbox-2.2 | 3 4G bios",
        "cd ide1:0 empty",
        "cd ide0:0 empty",
        "disk sata0:0 vmdisk3 40G Ubuntu-disk003.vmdk",
        "nic E1000@NAT",
      ],
    ],
  },
};
