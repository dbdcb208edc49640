import type { Row } from "./row.ts";

export const OTHERS: Readonly<Record<string, Row>> = {
  "bitnami-tomcat-padded.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "bitnami-tomcatstack | bitnami-tomcatstack-8.0.36-2-linux-ubuntu-14.04-x86_64 | 94 ubuntu64Guest | vmx-07 | 1 1G",
        "disk scsi0:0 vmdisk1 17G bitnami-tomcatstack-8.0.36-2-linux-ubuntu-14.04-x86_64-disk1.vmdk",
        "nic PCNet32@bridged",
      ],
    ],
  },
  "cisco-csr1000v.ovf": {
    is: "1 vmware",
    has: "2 files, 1 disks, 3 networks, 0 eulas, 27 properties",
    configurations: "1CPU-4GB* 2CPU-4GB 4CPU-4GB 4CPU-8GB",
    systems: [
      [
        "com.cisco.csr1000v | Cisco CSR 1000V Cloud Services Router | 100 other26xLinux64Guest | vmx-08 vmx-09 vmx-10 vmx-11 Cisco:Internal:VMCloud-01 | 1 4G",
        "disk scsi0:0 vmdisk1 1G input.vmdk",
        "cd ide1:0 input.iso",
        "cd ide1:1 empty",
        "nic VMXNET3@GigabitEthernet1",
        "nic VMXNET3@GigabitEthernet2",
        "nic VMXNET3@GigabitEthernet3",
      ],
    ],
  },
  "cisco-iosv.ovf": {
    is: "1 vmware",
    has: "1 files, 2 disks, 16 networks, 0 eulas, 0 properties",
    configurations: "1CPU-384MB-2NIC* 1CPU-1GB-8NIC 1CPU-3GB-10NIC 1CPU-3GB-16NIC",
    systems: [
      [
        "com.cisco.iosv | Cisco IOSv | 100 otherGuest | vmx-08 Cisco:Internal:VMCloud-01 | 1 384M",
        "disk ide0:0 vios-adventerprisek9-m.vmdk 1G input.vmdk",
        "disk ide0:1 flash2 128M blank",
        "nic E1000@GigabitEthernet0_0",
        "nic E1000@GigabitEthernet0_1",
      ],
    ],
  },
  "cot-input.ovf": {
    is: "1 vmware",
    has: "3 files, 1 disks, 1 networks, 0 eulas, 10 properties",
    configurations: "1CPU-1GB-1NIC 2CPU-2GB-1NIC 4CPU-4GB-3NIC*",
    systems: [
      [
        "test | test | 100 other26xLinux64Guest | vmx-07 vmx-08 | 4 4G",
        "disk scsi0:0 vmdisk1 1G input.vmdk",
        "cd ide1:0 input.iso",
        "cd ide1:1 empty",
        "nic VMXNET3@VM Network",
        "nic VMXNET3@VM Network",
        "nic VMXNET3@VM Network",
      ],
    ],
  },
  "dmtf-ovf2-collection.ovf": {
    because: "a copying error in the epasd namespace; the disks of the systems are blank and said by quantity",
    is: "2 other",
    has: "1 files, 1 disks, 1 networks, 2 eulas, 4 properties",
    systems: [
      ["storage server | Virtual Appliance One | 58 | - | 1 1G", "disk -:- blank 1G", "nic -@VS Network"],
      ["web-server | Virtual Appliance Two | 58 | - | 1 1G", "disk -:- blank 1G", "nic -@VS Network"],
    ],
  },
  "evil-xxe.ovf": {
    because: "an external entity names a file of the reader’s machine",
    error: "OVF_XML_ENTITY",
  },
  "html-instead-of-ovf.ovf": {
    because: "well-formed, but a web server’s error page",
    error: "OVF_NOT_AN_ENVELOPE",
  },
  "ibm-powervs-template.xml": {
    because: "attributes without a prefix, and a placeholder for the size",
    is: "1 other",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_NUMBER_INVALID",
    systems: [["vs0 | {image} | 80 | - | ? ?", "disk -:- disk1 120G {image}-disk.raw"]],
  },
  "invalid-many-errors.ovf": {
    because:
      "VirtualBox and ovftool refuse the disk item with nothing behind it; the dangling fileRef of flash2 hurts nobody, for no drive uses it",
    is: "1 other",
    has: "2 files, 2 disks, 2 networks, 0 eulas, 2 properties",
    configurations: "myprofile howlongofaprofilenamecanweusehere",
    warnings: "OVF_DANGLING_REFERENCE",
    hardwareError: "OVF_DANGLING_REFERENCE",
    systems: [["x | - | - | - | ? ?"]],
  },
  "minimal.ovf": {
    is: "1 other",
    has: "0 files, 0 disks, 0 networks, 0 eulas, 0 properties",
    systems: [["x | - | - | - | ? ?"]],
  },
  "ovftool-0.9-http-href.ovf": {
    is: "0.9 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_HREF_UNSAFE",
    systems: [
      ["PTC01_VM | - | 36 | vmx-04 | ? ?", "disk scsi:0 vmdisk1 1G http://vmweb.vmware.com/~vappa/valid_disk.vmdk"],
    ],
  },
  "ovftool-bound-items.ovf": {
    because: "the normal item holds, not min and max; the path out of the package is refused only when it is opened",
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_HREF_UNSAFE",
    systems: [["PTC01_VM | - | 36 | vmx-04 | ? 512M", "disk scsi0:0 vmdisk1 8G ../../../vmdk/valid_disk.vmdk"]],
  },
  "ovftool-neg-dangling-fileref.ovf": {
    because: "ovftool refuses it, but no drive uses the disk: a warning is enough",
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_DANGLING_REFERENCE",
    systems: [["PTC01_VM | - | 36 | vmx-04 | ? ?"]],
  },
  "ovftool-neg-dup-diskid.ovf": {
    because: "two disks of one id: which of them the drive means cannot be known; ovftool refuses the file too",
    is: "1 vmware",
    has: "2 files, 2 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_HREF_UNSAFE OVF_ID_REPEATED",
    hardwareError: "OVF_AMBIGUOUS_REFERENCE",
    systems: [["PTC01_VM | - | 36 | vmx-04 | ? ?"]],
  },
  "ovftool-neg-no-capacity.ovf": {
    because: "VirtualBox and ovftool refuse it, but the VMDK tells its own capacity: a warning is enough",
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_CAPACITY_MISSING OVF_HREF_UNSAFE",
    systems: [["PTC01_VM | - | 36 | vmx-04 | ? ?", "disk scsi0:0 vmdisk1 ? ../../../vmdk/ubuntu.vmdk"]],
  },
  "ovftool-no-fileref.ovf": {
    because: "a blank disk of a known size",
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_HREF_UNSAFE",
    systems: [["PTC01_VM | - | 36 | vmx-04 | ? ?", "disk scsi0:0 vmdisk1 321482K blank"]],
  },
  "ovftool-section-compat.ovf": {
    is: "1 other",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_HREF_UNSAFE",
    systems: [["PTC01_VM | - | 36 | - | ? ?"]],
  },
  "ovftool-two-hardware-sections.ovf": {
    because: "vmx-04 is preferred to xen3",
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_HARDWARE_CHOSEN OVF_HREF_UNSAFE",
    systems: [["PTC01_VM | - | 36 | vmx-04 | ? ?", "disk scsi0:0 vmdisk1 8G ../../../vmdk/valid_disk.vmdk"]],
  },
  "ovftool-unbound-prefix.ovf": {
    because: "not namespace-well-formed, but ovftool reads it",
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_HREF_UNSAFE OVF_PREFIX_UNBOUND",
    systems: [["PTC01_VM | - | 36 | vmx-04 | ? ?", "disk scsi0:0 vmdisk1 8G ../../../vmdk/valid_disk.vmdk"]],
  },
  "ovftool-unc-href.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_HREF_UNSAFE",
    systems: [
      [
        "PTC01_VM | - | 36 | vmx-04 | ? ?",
        "disk scsi0:0 vmdisk1 321482K \\\\pa-scratch\\scratch\\vkolapan\\ubuntu.vmdk",
      ],
    ],
  },
  "ovirt-3.3-vmovf.ovf": {
    because: "no capacity, but a size in GiB; the LUN has neither; fileRef is the path of the file",
    is: "1 ovirt",
    has: "2 files, 2 disks, 1 networks, 0 eulas, 0 properties",
    warnings: "OVF_CAPACITY_MISSING OVF_SECTION_UNKNOWN",
    systems: [
      [
        "out | exporttedVM | 70f24c82-a7b8-4e0b-9192-cffd5705cf5c | ENGINE 3.3.0.0 | 1 1G",
        "disk -:- f934b12c-1e22-4ad8-bbce-ec0b2a5defa4 1G 8c634412-1e8b-4ef3-bc40-b67a456e9d2f/f934b12c-1e22-4ad8-bbce-ec0b2a5defa4",
      ],
    ],
  },
  "ovirt-virtv2v-output.ovf": {
    because: "placeholders; the drive and the disk name the file by its path",
    is: "1 ovirt",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    warnings: "OVF_NUMBER_INVALID",
    systems: [
      ["out | windows | #VM_ID# | - | 1 1G bios", "disk -:- #VOL_ID# 512M #DISK_ID#/#VOL_ID#", "nic 3@default"],
    ],
  },
  "photon5-eula-msgid.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 1 eulas, 0 properties",
    systems: [
      [
        "vm | Photon OS | 36 vmwarePhoton64Guest | vmx-15 | 1 2G efi",
        "floppy -:0 empty",
        "disk scsi0:0 vmdisk1 16G photon-ova-disk1.vmdk",
        "cd sata0:0 empty",
        "nic VmxNet3@None",
      ],
    ],
  },
  "subdir-file-ref.ovf": {
    because: "an empty StorageSection is required by default",
    is: "1 vmware",
    has: "1 files, 1 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_SECTION_UNKNOWN",
    systems: [
      [
        "file-ref-path-vm | file-ref-path-vm | 101 other3xLinux64Guest | vmx-13 | 1 512M",
        "disk scsi0:0 vmdisk1 10G subdir/data.vmdk",
      ],
    ],
  },
  "template-openvmdk-hw21.ovf": {
    because: "placeholders stand where numbers will be",
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    warnings: "OVF_CAPACITY_MISSING OVF_NUMBER_INVALID",
    systems: [
      [
        "@@NAME@@ | @@NAME@@ | 1 other4xLinux64Guest | vmx-21 | ? ?",
        "cd ide0:0 empty",
        "disk scsi0:0 vmdisk1 ? @@NAME@@-disk1.vmdk",
        "nic VmxNet3@VM Network",
      ],
    ],
  },
  "ubuntu-24.10-cloudimg.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 6 properties",
    systems: [
      [
        "ubuntu-oracular-24.10-cloudimg-20241109 | ubuntu-oracular-24.10-cloudimg-20241109 | 94 ubuntu64Guest | vmx-10 | 2 1G bios",
        "cd ide1:0 empty",
        "disk scsi0:0 vmdisk1 10G ubuntu-oracular-24.10-cloudimg.vmdk",
        "floppy -:0 empty",
        "nic VmxNet3@VM Network",
      ],
    ],
  },
  "unknown-ns-ovf3.ovf": {
    because: "a version nobody has defined cannot be guessed at",
    error: "OVF_VERSION_UNKNOWN",
  },
  "vcloud-cfg-and-properties.ovf": {
    is: "1 vmware",
    has: "1 files, 1 disks, 6 networks, 1 eulas, 1 properties",
    systems: [
      [
        "VM | VM | 1 otherGuest | vmx-07 | 1 64M bios",
        "disk scsi0:0 vmdisk-3dd2c6b9-377a-42fc-8951-031ae8e6b5f5-2000 104857K vm-disk1.vmdk",
        "cd ide0:0 empty",
        "nic E1000@VM Network",
        "nic VMXNET3@VM Network 2",
        "nic PCNet32@VM Network 3",
      ],
    ],
  },
  "vcloud-director-vapp.ovf": {
    is: "1 vmware",
    has: "3 files, 3 disks, 2 networks, 0 eulas, 0 properties",
    systems: [
      [
        "s-xp | s-xp | 67 winXPProGuest | vmx-07 | 2 512M",
        "disk scsi0:0 vmdisk-2066209010-2000 1536M vm-2066209010-disk-0.vmdk",
        "disk scsi0:1 vmdisk-2066209010-2001 2G vm-2066209010-disk-1.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@vc1-direct",
        "nic PCNet32@test",
      ],
      [
        "vCD_scratch_vm | vCD_scratch_vm | 58 win2000ProGuest | vmx-07 | 1 64M",
        "disk scsi0:0 vmdisk-2130172404-2000 2G vm-2130172404-disk-0.vmdk",
        "cd ide0:0 empty",
        "floppy -:0 empty",
        "nic PCNet32@vc1-direct",
      ],
    ],
  },
  "vcloud-no-default-ns-unprefixed.ovf": {
    because: "Envelope stands in no namespace",
    is: "1 vmware",
    has: "1 files, 1 disks, 1 networks, 0 eulas, 0 properties",
    systems: [
      [
        "SLES11_SP2_64_Venkat | SLES11_SP2_64_Venkat | 85 sles11_64Guest | vmx-08 | 2 1G bios",
        "disk scsi0:0 vmdisk-6316c111-ff20-4fc7-8fca-f37d798cdfc1-2000 16G SLES11_SP2_64-disk1.vmdk",
        "floppy -:0 empty",
        "cd ide1:0 empty",
        "nic E1000@VM network 1",
      ],
    ],
  },
  "xenclient-uivm.ovf": {
    because: "each disk hangs on item 4, which is a disk; the appliance section is required by default",
    is: "1 xen",
    has: "3 files, 3 disks, 0 networks, 0 eulas, 0 properties",
    warnings: "OVF_PARENT_MISSING OVF_SECTION_UNKNOWN",
    systems: [
      [
        "uivm | uivm-new | - | - | 1 256M",
        "disk -:- uivm 0 uivm.vhd",
        "disk -:- uivm-swap 256M blank",
        "disk -:- uivm-gconf 0 uivm-gconf.vhd",
      ],
    ],
  },
  "xenserver-appliance.ovf": {
    because: "says utf-16 and is UTF-8; its disk is resource type 19",
    is: "1 xen",
    has: "1 files, 1 disks, 0 networks, 1 eulas, 0 properties",
    systems: [
      [
        "68f97bfd-1a03-422f-97d5-db5046c20b78 | Web server | 0 | xen-3.0-unknown | 1 64M",
        "disk -:0 64891892-169e-470b-9779-368ee4ad2c15 10M 5936bc8c-20ae-4052-9083-b8e5b96dc683.vhd",
      ],
    ],
  },
};
