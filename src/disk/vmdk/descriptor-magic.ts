const NEWLINE = 0x0a;
const LOOK = 4096;

/**
 * Whether a file starts as a VMDK descriptor: `# Disk DescriptorFile` in any case, with or without the blank, after nothing
 * but a byte order mark, blank lines and comments.
 */
export function isDescriptorText(head: Uint8Array): boolean {
  const start = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
  for (let at = start; at < Math.min(head.length, LOOK); ) {
    const newline = head.indexOf(NEWLINE, at);
    const end = newline < 0 ? head.length : newline;
    const line = Buffer.from(head.subarray(at, Math.min(end, at + 256)))
      .toString("latin1")
      .trim();
    if (/^#\s*disk descriptorfile/i.test(line)) return true;
    if (line !== "" && !line.startsWith("#")) return false;
    at = end + 1;
  }
  return false;
}
