/*
 * The UEFI loader of an appliance: starts \LINUX of the partition that it came from with the command line in \CMDLINE, and
 * hands it \INITRD.IMG by the protocol that kernels since 5.8 ask for (older ones find it by initrd= in the command line).
 * Freestanding and position-independent without relocations: the writer of the disk wraps it into a PE image of one section.
 * The structures are those of the UEFI specification 2.10; members that are not used only keep their place.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u64 Status;
typedef void *Handle;

#define EFIAPI __attribute__((ms_abi))
#define SUCCESS 0
#define FAILURE(code) (0x8000000000000000ULL | (code))
#define UNSUPPORTED FAILURE(3)
#define BUFFER_TOO_SMALL FAILURE(5)
#define LOADER_DATA 2
#define OPEN_FOR_READING 1
/* Some firmware fails on larger reads from slow media. */
#define READ_PIECE (4ULL << 20)

typedef struct {
  u32 a;
  u16 b, c;
  u8 d[8];
} Guid;

typedef struct TextOutput {
  void *reset;
  Status(EFIAPI *output)(struct TextOutput *, const u16 *);
} TextOutput;

typedef struct File {
  u64 revision;
  Status(EFIAPI *open)(struct File *, struct File **, const u16 *name, u64 mode, u64 attributes);
  Status(EFIAPI *close)(struct File *);
  void *delete;
  Status(EFIAPI *read)(struct File *, u64 *size, void *);
  void *write;
  Status(EFIAPI *position)(struct File *, u64 *);
  Status(EFIAPI *seek)(struct File *, u64);
} File;

typedef struct Volume {
  u64 revision;
  Status(EFIAPI *open)(struct Volume *, File **);
} Volume;

typedef struct {
  u32 revision;
  Handle parent;
  void *system;
  Handle device;
  void *path;
  void *reserved;
  u32 optionsSize;
  void *options;
  void *base;
  u64 size;
} LoadedImage;

typedef struct LoadFile2 {
  Status(EFIAPI *load)(struct LoadFile2 *, void *path, u8 bootPolicy, u64 *size, void *buffer);
} LoadFile2;

typedef struct {
  u8 header[24];
  void *priorities[2];
  void *pages[2];
  void *memoryMap;
  Status(EFIAPI *allocate)(u32 type, u64 size, void **);
  Status(EFIAPI *release)(void *);
  void *events[6];
  void *installProtocol, *reinstallProtocol, *uninstallProtocol;
  Status(EFIAPI *protocol)(Handle, const Guid *, void **);
  void *reserved, *notify, *locateHandle, *locateDevicePath, *installTable;
  Status(EFIAPI *loadImage)(u8 bootPolicy, Handle parent, void *path, void *source, u64 size, Handle *);
  Status(EFIAPI *startImage)(Handle, u64 *exitSize, u16 **exit);
  void *exit, *unloadImage, *exitBootServices, *monotonicCount, *stall, *watchdog;
  void *connect, *disconnect, *openProtocol, *closeProtocol, *openInformation;
  void *protocolsPerHandle, *locateHandles, *locateProtocol;
  Status(EFIAPI *installProtocols)(Handle *, ...);
} BootServices;

typedef struct {
  u8 header[24];
  void *vendor;
  u32 revision;
  Handle inputHandle;
  void *input;
  Handle outputHandle;
  TextOutput *output;
  Handle errorHandle;
  TextOutput *error;
  void *runtime;
  BootServices *boot;
} SystemTable;

static const Guid LOADED_IMAGE = {0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const Guid FILE_SYSTEM = {0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const Guid DEVICE_PATH = {0x09576e91, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const Guid LOAD_FILE_2 = {0x4006c0c1, 0xfcb3, 0x403e, {0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d}};

/* Where Linux looks for its initrd: LINUX_EFI_INITRD_MEDIA_GUID as a vendor's media, and the end of the path. */
static const struct __attribute__((packed)) {
  u8 type, subtype;
  u16 length;
  Guid vendor;
  u8 endType, endSubtype;
  u16 endLength;
} INITRD_PATH = {
    4, 3, 20, {0x5568e427, 0x68fc, 0x4f3d, {0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68}}, 0x7f, 0xff, 4};

static SystemTable *firmware;
static File *initrd;
static u64 initrdSize;
static LoadFile2 initrdLoader;

static u64 sizeOf(File *file) {
  u64 size = 0;
  file->seek(file, ~0ULL);
  file->position(file, &size);
  file->seek(file, 0);
  return size;
}

static Status readAll(File *file, u8 *to, u64 size) {
  while (size > 0) {
    u64 piece = size < READ_PIECE ? size : READ_PIECE;
    Status status = file->read(file, &piece, to);
    if (status != SUCCESS) return status;
    if (piece == 0) return FAILURE(7);
    to += piece;
    size -= piece;
  }
  return SUCCESS;
}

/* UEFI 13.3: a buffer that is missing or too small is answered with the size. */
static Status EFIAPI loadInitrd(LoadFile2 *self, void *path, u8 bootPolicy, u64 *size, void *buffer) {
  (void)self;
  (void)path;
  if (bootPolicy) return UNSUPPORTED;
  const u64 given = *size;
  *size = initrdSize;
  if (buffer == 0 || given < initrdSize) return BUFFER_TOO_SMALL;
  initrd->seek(initrd, 0);
  return readAll(initrd, buffer, initrdSize);
}

static Status say(const u16 *what, Status status) {
  firmware->output->output(firmware->output, u"transload: ");
  firmware->output->output(firmware->output, what);
  firmware->output->output(firmware->output, u"\r\n");
  return status;
}

/* The whole file in memory of the firmware's, with two bytes of zeros behind it. */
static Status load(File *root, const u16 *name, u8 **bytes, u64 *size) {
  File *file;
  Status status = root->open(root, &file, name, OPEN_FOR_READING, 0);
  if (status != SUCCESS) return status;
  *size = sizeOf(file);
  status = firmware->boot->allocate(LOADER_DATA, *size + 2, (void **)bytes);
  if (status == SUCCESS) {
    (*bytes)[*size] = (*bytes)[*size + 1] = 0;
    status = readAll(file, *bytes, *size);
  }
  file->close(file);
  return status;
}

/* The first line of \CMDLINE as the UTF-16 that load options are. */
static void setOptions(File *root, LoadedImage *image) {
  u8 *text;
  u64 size, length = 0;
  u16 *options;
  if (load(root, u"\\CMDLINE", &text, &size) != SUCCESS) return;
  while (text[length] != 0 && text[length] != '\n') length++;
  if (firmware->boot->allocate(LOADER_DATA, 2 * length + 2, (void **)&options) != SUCCESS) return;
  for (u64 at = 0; at < length; at++) options[at] = text[at];
  options[length] = 0;
  image->options = options;
  image->optionsSize = 2 * length + 2;
}

Status EFIAPI start(Handle self, SystemTable *system) {
  BootServices *boot = system->boot;
  LoadedImage *loader, *image;
  Volume *volume;
  File *root;
  u8 *kernel;
  u64 size;
  Handle started = 0, initrdHandle = 0;
  firmware = system;
  Status status = boot->protocol(self, &LOADED_IMAGE, (void **)&loader);
  if (status == SUCCESS) status = boot->protocol(loader->device, &FILE_SYSTEM, (void **)&volume);
  if (status == SUCCESS) status = volume->open(volume, &root);
  if (status != SUCCESS) return say(u"the EFI partition cannot be read", status);
  status = load(root, u"\\LINUX", &kernel, &size);
  if (status != SUCCESS) return say(u"\\LINUX cannot be read", status);
  status = boot->loadImage(0, self, loader->path, kernel, size, &started);
  if (status != SUCCESS) return say(u"the firmware does not take the kernel; is Secure Boot on?", status);
  boot->release(kernel);
  status = boot->protocol(started, &LOADED_IMAGE, (void **)&image);
  if (status != SUCCESS) return say(u"the kernel has no image protocol", status);
  image->device = loader->device;
  setOptions(root, image);
  if (root->open(root, &initrd, u"\\INITRD.IMG", OPEN_FOR_READING, 0) == SUCCESS) {
    initrdSize = sizeOf(initrd);
    initrdLoader.load = loadInitrd;
    boot->installProtocols(&initrdHandle, &DEVICE_PATH, &INITRD_PATH, &LOAD_FILE_2, &initrdLoader, (void *)0);
  }
  return say(u"the kernel came back", boot->startImage(started, 0, 0));
}
