import type { Row } from "./row.ts";

export const VMWARE_B: Readonly<Record<string, Row>> = {
  "vmware-property-qualifiers.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 2 networks, 0 eulas, 22 properties",
    systems: [
      [
        "qualifiers-vm | qualifiers-vm | 101 other3xLinux64Guest | vmx-13 | 1 512M",
        "disk scsi0:0 vmdisk1 1G disk.vmdk",
      ],
    ],
  },
  "vmware-property-types.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 23 properties",
    systems: [
      [
        "property-types-vm | property-types-vm | 101 other3xLinux64Guest | vmx-13 | 1 512M",
        "disk scsi0:0 vmdisk1 1G os.vmdk",
      ],
    ],
  },
  "vmware-space-in-name.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vm1 | vm1 | 93 ubuntuGuest | vmx-07 | 1 256M",
        "disk scsi0:0 vmdisk1 2M haoUnOS2VMs-disk1.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@none",
      ],
    ],
  },
  "vmware-special-char-href.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "ùàçéè | ùàçéè | 103 windows7Server64Guest | vmx-13 | 1 40M",
        "disk scsi0:0 vmdisk1 40M special char.s-in_name-disk1.vmdk",
        "cd sata0:0 empty",
        "floppy -:0 empty",
        "nic E1000@VM Network",
      ],
    ],
  },
  "vmware-sriov-nic.ovf": {
    is: "1 other",
    has: "0 files, 0 disks, 1 networks, 0 eulas, 0 properties",
    systems: [["sriov-vm | sriov-vm | - | - | ? 1G", "nic SriovEthernetCard@VM Network"]],
  },
  "vmware-strings-external-bundles.ovf": {
    because: "two collections without a system",
    is: "1 other",
    has: "3 files, 0 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_SYSTEM_MISSING",
    systems: [],
  },
  "vmware-strings-internal.ovf": {
    because: "the only item is a lower bound",
    is: "1 other",
    has: "0 files, 0 disks, 2 networks, 1 eulas, 1 properties",
    configurations: "Minimal*",
    systems: [["vsc1 | Test System Collection | 1 | - | ? 300M"]],
  },
  "vmware-studio-jeos-iso-file.ovf": {
    is: "1 vmware",
    has: "2 files, 1 disks, 1 networks, 0 eulas, 5 properties",
    systems: [
      [
        "CentOS_6_JeOS_-_Minimal | - | 36 centosGuest | vmx-07 | 1 512M",
        "disk scsi0:0 system 2G system.vmdk",
        "cd ide1:0 empty",
        "cd ide1:1 custom.iso",
        "nic PCNet32@Network 1",
      ],
    ],
  },
  "vmware-studio-vapp-2vm.ovf": {
    is: "1 vmware",
    has: "2 files, 2 disks, 2 networks, 6 eulas, 13 properties",
    systems: [
      [
        "ubuntu8.04 | - | 93 ubuntuGuest | vmx-07 | 1 256M",
        "disk scsi0:0 ubuntu8.04_system 2G ubuntu8.04_system.vmdk",
        "nic PCNet32@ubuntu8.04 Network 1",
      ],
      [
        "ubuntu8.04 1 | - | 93 ubuntuGuest | vmx-07 | 1 256M",
        "disk scsi0:0 ubuntu8.04_1_system 2G ubuntu8.04_1_system.vmdk",
        "nic PCNet32@ubuntu8.04 1 Network 1",
      ],
    ],
  },
  "vmware-sugarcrm-2vm-configs.ovf": {
    because: "no default: the first configuration, small, for which only the general items hold",
    is: "1 vmware",
    has: "7 files, 8 disks, 1 networks, 1 eulas, 14 properties",
    configurations: "small* medium large",
    systems: [
      [
        "web | SugarmCRM Server | 93 | vmx-04 | 1 256M",
        "cd ide0:0 empty",
        "disk scsi0:0 vmdisk1 1G SugarCRM-disk1.vmdk",
        "disk scsi0:1 vmdisk2 1G blank",
        "disk scsi0:2 vmdisk3 8G SugarCRM-disk3.vmdk",
        "nic PCNet32@Network",
      ],
      [
        "db | Database Server | 93 | vmx-04 | 1 256M",
        "cd ide0:0 empty",
        "disk scsi0:0 vmdisk4 1G SugarCRM-disk4.vmdk",
        "disk scsi0:1 vmdisk5 1G blank",
        "disk scsi0:2 vmdisk6 8G SugarCRM-disk6.vmdk",
        "nic PCNet32@Network",
      ],
    ],
  },
  "vmware-unknown-sections.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [["vm | vm | 69 winNetStandardGuest | vmx-07 | 1 1G"]],
  },
  "vmware-uppercase-ext.OVF": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "Nostalgia | Nostalgia | 1 otherGuest | vmx-04 | 1 64M",
        "cd ide0:0 empty",
        "disk scsi0:0 vmdisk1 104857K nostalgia-disk1.VMDK",
        "nic PCNet32@VM Network",
      ],
    ],
  },
  "vmware-vapp-bootorder.ovf": {
    is: "1 vmware",
    has: "2 files, 2 disks, 0 networks, 0 eulas, 0 properties",
    systems: [
      ["vm-b1 | vm-b1 | 1 otherGuest | vmx-07 | 1 32M", "disk scsi0:0 vmdisk1 100M vApp-BootOrder-disk1.vmdk"],
      ["vm-b2 | vm-b2 | 1 otherGuest | vmx-07 | 1 32M", "disk scsi0:0 vmdisk2 100M vApp-BootOrder-disk2.vmdk"],
    ],
  },
  "vmware-vcenter-external-https-href.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 8 properties",
    warnings: "OVF_HREF_UNSAFE",
    systems: [
      [
        "Windows2016-Template | Windows2016-Template | 112 windows9Server64Guest | vmx-14 | 2 4G efi secure",
        "disk scsi0:0 vmdisk1 40G https://www.7-zip.org/a/7z2409-x64.exe",
        "cd sata0:0 empty",
        "nic E1000E@VM Network",
      ],
    ],
  },
  "vmware-vcsa-9.1-331kB.ovf": {
    is: "1 vmware",
    has: "5 files, 32 disks, 1 networks, 2 eulas, 82 properties",
    configurations:
      "internal-minimal tiny* small medium large xlarge tiny-lstorage small-lstorage medium-lstorage large-lstorage xlarge-lstorage tiny-xlstorage small-xlstorage medium-xlstorage large-xlstorage xlarge-xlstorage",
    systems: [
      [
        "VMware-vCenter-Server-Appliance | - | 100 other3xLinux64Guest | vmx-17 | 2 14G",
        "disk scsi0:0 system 49728M VMware-vCenter-Server-Appliance-9.1.0.0.25262036-system.vmdk",
        "disk scsi0:1 cloudcomponents 7779M VMware-vCenter-Server-Appliance-9.1.0.0.25262036-cloud-components.vmdk",
        "disk scsi0:2 disk25GB 25G blank",
        "disk scsi0:3 disk25GB 25G blank",
        "disk scsi0:4 disk50GB 50G blank",
        "disk scsi0:5 disk10GB 10G blank",
        "disk scsi0:6 disk15GB 15G blank",
        "disk scsi0:8 disk10GB 10G blank",
        "disk scsi0:9 disk1GB 1G blank",
        "disk scsi0:10 disk10GB 10G blank",
        "disk scsi0:11 disk10GB 10G blank",
        "disk scsi0:12 disk100GB 100G blank",
        "disk scsi0:13 disk50GB 50G blank",
        "disk scsi0:14 disk100GB 100G blank",
        "disk scsi0:15 disk150GB 150G blank",
        "cd sata0:0 empty",
        "nic vmxnet3@Network 1",
      ],
    ],
  },
  "vmware-vsphere5-crlf.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    systems: [["ova-test | ova-test | 69 | vmx-08 | 2 4G", "cd ide1:1 empty", "disk scsi0:0 vmdisk1 512M disk.vmdk"]],
  },
  "vmware-vsphere5.5-efi.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "2K8R2EESP1_2_Medium | 2K8R2EESP1_2_Medium | 103 windows7Server64Guest | vmx-10 | 1 1G efi",
        "cd ide1:0 empty",
        "disk scsi0:0 vmdisk1 50G disk1.vmdk",
        "nic E1000@PG-VLAN60",
      ],
    ],
  },
  "vmware-vsphere5.5-gzip.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "2K8R2EESP1_2_Medium | 2K8R2EESP1_2_Medium | 103 windows7Server64Guest | vmx-10 | 1 1G bios",
        "cd ide1:0 empty",
        "disk scsi0:0 vmdisk1 50G disk1.vmdk.gz",
        "nic E1000@PG-VLAN60",
      ],
    ],
  },
  "vmware-vsphere5.5-snapshot-href.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "2K8R2EESP1_2_Medium | 2K8R2EESP1_2_Medium | 103 windows7Server64Guest | vmx-10 | 1 1G efi",
        "cd ide1:0 empty",
        "disk scsi0:0 vmdisk1 50G disk1.vmdk",
        "nic E1000@PG-VLAN60",
      ],
    ],
  },
  "vmware-vsphere5.5-two-disks.ovf": {
    is: "1 vmware",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "2K8R2EESP1_2_Medium | 2K8R2EESP1_2_Medium | 103 windows7Server64Guest | vmx-10 | 1 1G bios",
        "cd ide1:0 empty",
        "disk scsi0:0 vmdisk1 50G disk1.vmdk",
        "disk scsi0:1 vmdisk2 450G disk2.vmdk",
        "nic E1000@PG-VLAN60",
      ],
    ],
  },
  "vmware-vtpm-nvram.ovf": {
    is: "1 vmware",
    has: "2 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vtpm-spec-with-nvram | vtpm-spec-with-nvram | 107 centos8_64Guest | vmx-17 | 1 1G efi secure nvram=vtpm-spec-with-nvram-2.nvram",
        "disk scsi0:0 vmdisk1 1G vtpm-spec-with-nvram-1.vmdk",
        "cd sata0:0 empty",
        "nic VmxNet3@VM Network",
      ],
    ],
  },
  "vmware-win10-no-default-ns.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vm | Win10-Liz | 1 windows9_64Guest | vmx-11 | 4 6G efi",
        "disk scsi0:0 vmdisk1 128G Win10-Liz-disk1.vmdk",
        "cd sata0:1 empty",
        "nic E1000e@bridged",
      ],
    ],
  },
  "vmware-workstation-win10.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "vm | Win10-Liz | 1 windows9_64Guest | vmx-11 | 4 6G",
        "disk scsi0:0 vmdisk1 128G Win10-Liz-disk1.vmdk",
        "cd sata0:1 empty",
        "nic E1000e@bridged",
      ],
    ],
  },
};
