/** The changing parts of a small descriptor, as XML. */
export interface Parts {
  readonly files?: string;
  readonly disks?: string;
  readonly envelope?: string;
  readonly items?: string;
  readonly system?: string;
}

const CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2";

/** A descriptor of one virtual system. */
export function descriptor(parts: Parts): string {
  return `<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="${CIM}/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>${parts.files ?? ""}</References>
  <DiskSection><Info/>${parts.disks ?? ""}</DiskSection>
  ${parts.envelope ?? ""}
  <VirtualSystem ovf:id="vm"><Info/>
    ${parts.system ?? ""}
    <VirtualHardwareSection><Info/>${parts.items ?? ""}</VirtualHardwareSection>
  </VirtualSystem>
</Envelope>`;
}

/** A hardware item from its CIM properties. */
export function item(properties: Readonly<Record<string, string | number>>, attributes = ""): string {
  const children = Object.entries(properties).map(([name, value]) => `<rasd:${name}>${value}</rasd:${name}>`);
  return `<Item ${attributes}>${children.join("")}</Item>`;
}
