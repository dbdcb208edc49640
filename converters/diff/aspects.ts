/** What of a file is compared besides its path and type; `links` is which names are one file. */
export const FILE_ASPECTS = ["content", "mode", "owner", "mtime", "xattrs", "links"] as const;

export type FileAspect = (typeof FILE_ASPECTS)[number];
