import type { Row } from "./row.ts";

export const VMWARE_A: Readonly<Record<string, Row>> = {
  "vmware-8vm-collection.ovf": {
    is: "1 vmware",
    has: "8 files, 8 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vm1 | vm1 | 93 ubuntuGuest | vmx-04 | 1 1G",
        "disk scsi0:0 vmdisk1 2M haoUnOS2VMs-disk1.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm2 | vm2 | 93 ubuntuGuest | vmx-04 | 1 1G",
        "disk scsi0:0 vmdisk2 2M haoUnOS2VMs-disk2.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm3 | vm3 | 93 ubuntuGuest | vmx-04 | 1 1G",
        "disk scsi0:0 vmdisk3 2M haoUnOS2VMs-disk3.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm4 | vm4 | 93 ubuntuGuest | vmx-04 | 1 1G",
        "disk scsi0:0 vmdisk4 2M haoUnOS2VMs-disk4.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm5 | vm5 | 93 ubuntuGuest | vmx-04 | 1 1G",
        "disk scsi0:0 vmdisk5 2M haoUnOS2VMs-disk5.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm6 | vm6 | 93 ubuntuGuest | vmx-04 | 1 1G",
        "disk scsi0:0 vmdisk6 2M haoUnOS2VMs-disk6.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm7 | vm7 | 93 ubuntuGuest | vmx-04 | 1 1G",
        "disk scsi0:0 vmdisk7 2M haoUnOS2VMs-disk7.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm8 | vm8 | 93 ubuntuGuest | vmx-04 | 1 1G",
        "disk scsi0:0 vmdisk8 2M haoUnOS2VMs-disk8.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
    ],
  },
  "vmware-bom.ovf": {
    because: "a byte order mark; the boot order is required by default",
    is: "1 vmware",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    warnings: "OVF_SECTION_UNKNOWN",
    systems: [
      [
        "yVM | yVM | 36 otherLinuxGuest | vmx-08 | 1 48M bios",
        "cd ide1:0 empty",
        "disk ide0:0 vmdisk1 64M disk-0.vmdk",
        "disk ide0:1 vmdisk2 64M disk-1.vmdk",
        "nic E1000@VM Network",
      ],
    ],
  },
  "vmware-chinese-name.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "虚拟机 | 虚拟机 | 103 windows7Server64Guest | vmx-13 | 1 40M",
        "disk scsi0:0 vmdisk1 40M 虚拟机-1.vmdk",
        "cd sata0:0 empty",
        "floppy -:0 empty",
        "nic E1000@VM Network",
      ],
    ],
  },
  "vmware-chunked-padded.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "Nostalgia | Nostalgia | 1 otherGuest | vmx-04 | 1 64M bios",
        "cd ide0:0 empty",
        "disk scsi0:0 vmdisk1 104857K Nostalgia-disk1.vmdk",
        "nic PCNet32@VM Network",
      ],
    ],
  },
  "vmware-complete-vsc.ovf": {
    because: "storage groups, scale-out, boot order: required by default and not understood",
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 2 eulas, 6 properties",
    configurations: "small medium* large",
    warnings: "OVF_SECTION_UNKNOWN",
    systems: [
      [
        "vs1 | Test System 1 | 79 centosGuest | vmx-07 | 1 64M",
        "cd ide0:0 empty",
        "disk scsi0:0 vmdisk1 104857K nostalgia-disk1.vmdk",
        "disk scsi0:1 vmdisk1 104857K nostalgia-disk1.vmdk",
        "nic PCNet32@VM Network",
      ],
      [
        "vs2 | Test System 2 | - | vmx-08 | 1 64M",
        "cd ide0:0 empty",
        "disk scsi0:0 vmdisk1 104857K nostalgia-disk1.vmdk",
        "nic PCNet32@VM Network",
      ],
    ],
  },
  "vmware-efi-nvram-missing-file.ovf": {
    is: "1 vmware",
    has: "2 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "efi.boot vm | efi-nvram | 103 windows7Server64Guest | vmx-13 | 1 1G efi",
        "disk scsi0:0 vmdisk1 4G efi-nvram-1.vmdk",
        "cd sata0:0 empty",
        "floppy -:0 empty",
        "nic E1000@VM Network",
      ],
    ],
  },
  "vmware-esxi-virtio-subtypes.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 1 properties",
    systems: [
      [
        "vmw | vmw | 80 rhel6_64Guest | vmx-08 | 2 1536M bios",
        "disk scsi0:0 vmdisk1 1G input.vmdk",
        "nic E1000@lanethernet0",
        "nic E1000@lanethernet0",
        "nic E1000@lanethernet0",
        "nic E1000@lanethernet0",
      ],
    ],
  },
  "vmware-esxi7-flp-iso.ovf": {
    because: "nvram names a file beside the VM, not one of the package",
    is: "1 vmware",
    has: "4 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vm | Ubuntu 64-bit 22.04 | 94 ubuntu64Guest | vmx-19 | 2 4G",
        "floppy -:0 Ubuntu-file1.flp",
        "cd sata0:0 Ubuntu-file2.iso",
        "cd sata0:1 Ubuntu-file3.iso",
        "disk nvme0:0 vmdisk1 50G Ubuntu-disk1.vmdk",
        "nic E1000@nat",
      ],
    ],
  },
  "vmware-eula-zh-fr-bundles.ovf": {
    is: "1 vmware",
    has: "2 files, 0 disks, 1 networks, 4 eulas, 5 properties",
    systems: [["ubuntu8041 | - | 93 ubuntuGuest | vmx-04 | 1 256M", "nic PCNet32@Network 1"]],
  },
  "vmware-file-size-overflow.ovf": {
    because: "the size of a file is measured, not believed: a warning is enough",
    is: "1 vmware",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    warnings: "OVF_NUMBER_INVALID",
    systems: [
      [
        "vm2 | vm2 | 93 ubuntuGuest | vmx-04 | 1 32M",
        "disk scsi0:0 vmdisk1 2M haoUnOS2VMs-disk1.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm1 | vm1 | 93 ubuntuGuest | vmx-04 | 1 32M",
        "disk scsi0:0 vmdisk2 2M haoUnOS2VMs-disk2.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
    ],
  },
  "vmware-fusion-tinycore.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vm | TinyCoreLinux | 93 ubuntuGuest | vmx-09 | 1 256M",
        "disk ide0:0 vmdisk1 2G TinyCoreLinux-disk1.vmdk",
        "cd ide1:0 empty",
        "nic PCNet32@nat",
      ],
    ],
  },
  "vmware-govmomi-kitchen-sink.ovf": {
    because: "four disks start blank with the quantity of their items",
    is: "1 vmware",
    has: "1 files, 1 disks, 3 networks, 1 eulas, 8 properties",
    configurations: "default* frontend",
    systems: [
      [
        "haproxy | haproxy | 101 other3xLinux64Guest | vmx-13 | 2 4G bios",
        "disk scsi0:0 vmdisk1 20G haproxy.ova.vmdk",
        "cd ide1:0 empty",
        "floppy -:- empty",
        "disk scsi1:0 blank 10G",
        "disk sata0:0 blank 10G",
        "disk sata1:0 blank 10G",
        "disk nvme0:0 blank 10G",
        "nic VmxNet3@Management",
        "nic VmxNet3@Workload",
      ],
    ],
  },
  "vmware-gzip-updir-href.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    warnings: "OVF_HREF_UNSAFE",
    systems: [
      [
        "comp001 | comp001 | 69 winNetStandardGuest | vmx-04 | 1 1G",
        "floppy -:0 empty",
        "cd ide1:0 empty",
        "disk scsi0:0 vmdisk1 20M ../../../vmdk/comp002-disk1.vmdk.gz",
        "nic PCNet32@VM Network",
      ],
    ],
  },
  "vmware-negative-file-size.ovf": {
    because: "the size of a file is measured, not believed: a warning is enough",
    is: "1 vmware",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    warnings: "OVF_NUMBER_INVALID",
    systems: [
      [
        "vm2 | vm2 | 93 ubuntuGuest | vmx-04 | 1 32M",
        "disk scsi0:0 vmdisk1 2M haoUnOS2VMs-disk1.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
      [
        "vm1 | vm1 | 93 ubuntuGuest | vmx-04 | 1 32M",
        "disk scsi0:0 vmdisk2 2M haoUnOS2VMs-disk2.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
    ],
  },
  "vmware-nvdimm.ovf": {
    because: "resource type 20 is an NVDIMM here: neither controller nor drive",
    is: "1 vmware",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "Nostalgia | Nostalgia | 1 otherGuest | vmx-13 | 1 64M",
        "cd ide0:0 empty",
        "disk scsi0:0 vmdisk1 104857K nostalgia-disk1.vmdk",
        "nic PCNet32@VM Network",
      ],
    ],
  },
  "vmware-nvram-configs-capacity-property.ovf": {
    because: "the default configuration is large; its scratch disk takes its capacity from a property",
    is: "1 vmware",
    has: "4 files, 7 disks, 1 networks, 0 eulas, 2 properties",
    configurations: "small large*",
    systems: [
      [
        "vm | uber | 36 otherLinuxGuest | vmx-09 | 2 64M efi nvram=uber.nvram",
        "disk scsi0:0 system_large 40G disk0.vmdk",
        "disk scsi0:1 data_large 50G disk1.vmdk",
        "disk scsi0:2 extra_data_large 100G disk2.vmdk",
        "disk scsi0:3 scratch_large 20G blank",
        "nic E1000@nat",
      ],
    ],
  },
  "vmware-nvram-extraconfig.ovf": {
    is: "1 vmware",
    has: "2 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "newVM-with-nvram | newVM-with-nvram | 107 centos8_64Guest | vmx-17 | 1 1G efi secure nvram=newVM-with-nvram-2.nvram",
        "disk scsi0:0 vmdisk1 1G newVM-with-nvram-1.vmdk",
        "cd sata0:0 empty",
        "nic VmxNet3@VM Network",
      ],
    ],
  },
  "vmware-ovf0.9-cot.ovf": {
    is: "0.9 vmware",
    has: "1 files, 1 disks, 1 networks, 1 eulas, 0 properties",
    systems: [
      [
        "v0.9 | - | 107 other26xLinux64Guest | vmx-04 | 1 8G",
        "cd ide1:0 empty",
        "disk scsi0:0 vmdisk1 1G input.vmdk",
        "nic PCNet32@bridged",
      ],
    ],
  },
  "vmware-ovf0.9-joomla.ovf": {
    is: "0.9 vmware",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "joomla-1.1.4-ovf | - | 101 | vmx-04 | 1 256M",
        "disk scsi:0 disk1 1536M joomla-1.1.4-ovf-0.vmdk",
        "disk scsi:1 disk2 10G joomla-1.1.4-ovf-1.vmdk",
        "nic PCNet32@Network 1",
      ],
    ],
  },
  "vmware-ovf0.9-smallxp.ovf": {
    is: "0.9 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "smallxp-vapp | - | 75 | vmx-04 | 2 512M",
        "cd -:- empty",
        "floppy -:0 empty",
        "disk scsi:0 vmdisk1 1536M smallxp-vapp.vmdk",
        "nic PCNet32@VMNetwork",
      ],
    ],
  },
  "vmware-parent-disk.ovf": {
    is: "1 other",
    has: "2 files, 2 disks, 0 networks, 0 eulas, 0 properties",
    systems: [["vs1 | Test System | - | - | ? ?", "disk scsi0:0 vmdisk1 256M empty-disk-2.vmdk"]],
  },
  "vmware-percent-href.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "url%24encoded%a | url%24encoded%a | 103 windows7Server64Guest | vmx-13 | 1 40M",
        "disk scsi0:0 vmdisk1 40M url%24encoded%a-1.vmdk",
        "cd sata0:0 empty",
        "floppy -:0 empty",
        "nic E1000@VM Network",
      ],
    ],
  },
};
