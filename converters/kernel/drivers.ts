/**
 * What the machines of VirtualBox, VMware, Hyper-V, KVM and Xen need to find their disk, their network and their power button,
 * by the names of kernel modules. Those that a kernel has built in, or does not have, are passed over.
 */
export const DRIVERS: readonly string[] = [
  // Checksums of ext4: it asks for them by a name that no dependency tells.
  ..."crc32c_generic crc32c_intel crc32c ext4".split(" "),
  ..."sd_mod ahci ata_piix ata_generic nvme".split(" "),
  ..."virtio_pci virtio_mmio virtio_blk virtio_scsi virtio_net virtio_rng".split(" "),
  ..."vmw_pvscsi mptspi mptsas BusLogic vmxnet3".split(" "),
  ..."hv_vmbus hv_storvsc hv_netvsc hv_utils hyperv_keyboard".split(" "),
  ..."xen_blkfront xen_netfront".split(" "),
  ..."e1000 e1000e pcnet32 8139cp 8139too".split(" "),
  ..."evdev button af_packet autofs4".split(" "),
];

/** What those depend on in kernels of today: looked for at once, so that a package is read a second time only if this changes. */
export const LIKELY_DEPENDENCIES: readonly string[] = [
  ..."crc16 crc_t10dif crct10dif_generic crct10dif_common crc64 crc64_rocksoft_generic crc64_rocksoft".split(" "),
  ..."libcrc32c mbcache jbd2 scsi_common scsi_mod t10_pi libata libahci nvme_core nvme_common nvme_auth".split(" "),
  ..."virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev failover net_failover rng_core".split(" "),
  ..."scsi_transport_spi scsi_transport_sas scsi_transport_fc mptbase mptscsih".split(" "),
  ..."xenbus xen_front_pgdir_shbuf ptp pps_core mii nls_base serio intel_vmbus libphy mdio".split(" "),
];
