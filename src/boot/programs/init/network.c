/*
 * A DHCP client (RFC 2131) for each network card, in a process of its own that asks for the address and keeps it. IPv6 needs
 * none: the kernel takes what routers announce.
 */
#include "system.h"

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACKNOWLEDGE = 5, REFUSE = 6 };
enum { MOST_CARDS = 8, FIRST_WAIT = 15000, MOST_PAUSE = 16000, SERVER_PORT = 0x4300, CLIENT_PORT = 0x4400 };

/* linux/sockios.h */
enum {
  SIOCADDRT = 0x890b,
  SIOCGIFFLAGS = 0x8913,
  SIOCSIFFLAGS = 0x8914,
  SIOCSIFADDR = 0x8916,
  SIOCSIFNETMASK = 0x891c,
  SIOCSIFMTU = 0x8922,
  SIOCGIFHWADDR = 0x8927,
  SIOCGIFINDEX = 0x8933,
};

struct address {
  u16 family, port;
  u32 ip;
  u8 zero[8];
};

struct interface_request {
  char name[16];
  union {
    struct address address;
    short flags;
    int number;
    struct {
      u16 family;
      u8 address[14];
    } hardware;
    u8 size[24];
  } u;
};

/* struct rtentry of linux/route.h */
struct route {
  u64 hash;
  struct address destination, gateway, mask;
  u16 flags;
  u16 pad[3];
  u64 pad2;
  void *pad3;
  short metric;
  char *device;
  u64 mtu, window;
  u16 timeout;
};

/* What a server says. Addresses are in network order; times are seconds. */
struct lease {
  u32 ip, mask, router, server, seconds, renewal;
  u32 dns[3];
  u16 mtu;
  char domain[128], hostname[65];
};

static char cards[MOST_CARDS][16];
static u32 card_count;
static u8 packet[576], answer[1500];

static int add_card(const char *name) {
  char path[64], type[8] = "";
  if (length_of(name) > 15 || same(name, "lo")) return 0;
  append(append(append(path, "/sys/class/net/"), name), "/type");
  read_file(path, type, sizeof type - 1);
  /* Ethernet, not the tunnels that the kernel makes of itself. */
  if (type[0] == '1' && type[1] == '\n' && card_count < MOST_CARDS) append(cards[card_count++], name);
  return 0;
}

static i64 control(int file, const char *card, u64 command, struct interface_request *request) {
  fill(request->name, 0, sizeof request->name);
  append(request->name, card);
  return call3(SYS_ioctl, file, command, request);
}

static i64 bring_up(int file, const char *card) {
  struct interface_request request;
  fill(&request, 0, sizeof request);
  if (control(file, card, SIOCGIFFLAGS, &request) < 0) return -1;
  request.u.flags |= 1;
  return control(file, card, SIOCSIFFLAGS, &request);
}

static void set_address(int file, const char *card, u64 command, u32 ip) {
  struct interface_request request;
  fill(&request, 0, sizeof request);
  request.u.address = (struct address){2, 0, ip, {0}};
  control(file, card, command, &request);
}

static char *append_ip(char *end, u32 ip) {
  for (u32 part = 0; part < 4; part++) {
    if (part > 0) end = append(end, ".");
    end = append_number(end, ip >> 8 * part & 0xff);
  }
  return end;
}

static u8 *option(u8 *end, u8 code, const void *bytes, u8 size) {
  *end++ = code;
  *end++ = size;
  copy(end, bytes, size);
  return end + size;
}

static u32 big_endian(const u8 *bytes) {
  return (u32)bytes[0] << 24 | (u32)bytes[1] << 16 | (u32)bytes[2] << 8 | bytes[3];
}

/* `renewing` asks the server that gave the lease, from the address that it gave. */
static u64 compose(u8 type, const struct lease *lease, const u8 *hardware, u32 exchange, int renewing) {
  static const u8 wanted[] = {1, 3, 6, 12, 15, 26, 51, 54, 58};
  const char *hostname = setting("hostname", 0);
  fill(packet, 0, sizeof packet);
  packet[0] = packet[1] = 1;
  packet[2] = 6;
  copy(packet + 4, &exchange, 4);
  if (renewing) copy(packet + 12, &lease->ip, 4);
  else packet[10] = 0x80; /* answers must be broadcast: the card has no address yet */
  copy(packet + 28, hardware, 6);
  copy(packet + 236, "\x63\x82\x53\x63", 4);
  u8 *end = option(packet + 240, 53, &type, 1);
  if (type == REQUEST && !renewing) {
    end = option(end, 50, &lease->ip, 4);
    end = option(end, 54, &lease->server, 4);
  }
  if (hostname != 0 && length_of(hostname) < 64) end = option(end, 12, hostname, (u8)length_of(hostname));
  end = option(end, 55, wanted, sizeof wanted);
  *end++ = 255;
  u64 size = (u64)(end - packet);
  return size < 300 ? 300 : size;
}

static void copy_text(char *to, u64 room, const u8 *from, u64 size) {
  u64 length = 0;
  for (; length < size && length < room - 1; length++) {
    /* It goes into a file of lines and words. */
    if (from[length] <= ' ' || from[length] > '~') break;
    to[length] = (char)from[length];
  }
  to[length] = 0;
}

/* The type of the message, 0 for one that is not for us. */
static u8 parse(i64 size, const u8 *hardware, u32 exchange, struct lease *lease) {
  u8 type = 0;
  if (size < 244 || answer[0] != 2 || big_endian(answer + 236) != 0x63825363) return 0;
  for (u32 at = 0; at < 4; at++)
    if (answer[4 + at] != ((u8 *)&exchange)[at]) return 0;
  for (u32 at = 0; at < 6; at++)
    if (answer[28 + at] != hardware[at]) return 0;
  fill(lease, 0, sizeof *lease);
  copy(&lease->ip, answer + 16, 4);
  for (const u8 *at = answer + 240, *end = answer + size; at < end && *at != 255;) {
    if (*at == 0) {
      at++;
      continue;
    }
    const u8 code = at[0], *value = at + 2;
    if (value > end || value + at[1] > end) break;
    const u8 length = at[1];
    at = value + length;
    if (code == 53 && length >= 1) type = value[0];
    else if (code == 12) copy_text(lease->hostname, sizeof lease->hostname, value, length);
    else if (code == 15) copy_text(lease->domain, sizeof lease->domain, value, length);
    else if (code == 26 && length >= 2) lease->mtu = (u16)(value[0] << 8 | value[1]);
    else if (code == 6) copy(lease->dns, value, length > 12 ? 12 : length & 0xfc);
    else if (length < 4) continue;
    else if (code == 1) copy(&lease->mask, value, 4);
    else if (code == 3) copy(&lease->router, value, 4);
    else if (code == 54) copy(&lease->server, value, 4);
    else if (code == 51) lease->seconds = big_endian(value);
    else if (code == 58) lease->renewal = big_endian(value);
  }
  return type;
}

/* Sends, and waits for an answer of one of two types; its type, or 0 after the time. */
static u8 ask(int file, u32 to, u64 size, u64 milliseconds, const u8 *hardware, u32 exchange, struct lease *lease) {
  struct address server = {2, SERVER_PORT, to, {0}};
  call6(SYS_sendto, file, (i64)packet, (i64)size, 0, (i64)&server, sizeof server);
  for (u64 end = milliseconds_now() + milliseconds, now; (now = milliseconds_now()) < end;) {
    struct pollfd ready = {file, POLLIN, 0};
    if (call3(SYS_poll, &ready, 1, end - now) <= 0) continue;
    i64 got = call6(SYS_recvfrom, file, (i64)answer, sizeof answer, 0, 0, 0);
    u8 type = parse(got, hardware, exchange, lease);
    if (type == OFFER || type == ACKNOWLEDGE || type == REFUSE) return type;
  }
  return 0;
}

static void write_resolver(const struct lease *lease) {
  char text[512], *end = text;
  if (lease->dns[0] == 0) return;
  if (lease->domain[0] != 0) end = append(append(append(end, "search "), lease->domain), "\n");
  for (u32 index = 0; index < 3 && lease->dns[index] != 0; index++)
    end = append(append_ip(append(end, "nameserver "), lease->dns[index]), "\n");
  call2(SYS_mkdir, "/etc", 0755);
  write_file("/etc/resolv.conf", text);
}

static void apply(int file, const char *card, const struct lease *lease) {
  char text[32];
  struct interface_request request;
  fill(&request, 0, sizeof request);
  if (lease->mtu >= 576) {
    request.u.number = lease->mtu;
    control(file, card, SIOCSIFMTU, &request);
  }
  set_address(file, card, SIOCSIFADDR, lease->ip);
  if (lease->mask != 0) set_address(file, card, SIOCSIFNETMASK, lease->mask);
  if (lease->router != 0) {
    struct route route;
    fill(&route, 0, sizeof route);
    fill(&request, 0, sizeof request);
    control(file, card, SIOCGIFINDEX, &request);
    route.destination.family = route.gateway.family = route.mask.family = 2;
    route.gateway.ip = lease->router;
    route.flags = 3; /* up, gateway */
    /* The first card is preferred. The kernel takes one off. */
    route.metric = (short)(100 + request.u.number + 1);
    route.device = (char *)card;
    call3(SYS_ioctl, file, SIOCADDRT, &route);
  }
  write_resolver(lease);
  if (setting("hostname", 0) == 0 && lease->hostname[0] != 0)
    call2(SYS_sethostname, lease->hostname, length_of(lease->hostname));
  append_ip(text, lease->ip);
  say(card, " has the address ", text);
}

/* An address, however long it takes. */
static void acquire(int file, const u8 *hardware, struct lease *lease) {
  struct lease reply;
  for (u64 pause = 1000;; pause = pause * 2 > MOST_PAUSE ? MOST_PAUSE : pause * 2) {
    u32 exchange = (u32)(milliseconds_now() * 2654435761u) ^ big_endian(hardware + 2);
    u64 size = compose(DISCOVER, lease, hardware, exchange, 0);
    if (ask(file, 0xffffffff, size, pause, hardware, exchange, lease) != OFFER) continue;
    size = compose(REQUEST, lease, hardware, exchange, 0);
    for (u32 tries = 0; tries < 3; tries++) {
      u8 type = ask(file, 0xffffffff, size, 2000, hardware, exchange, &reply);
      if (type == REFUSE) break;
      if (type != ACKNOWLEDGE) continue;
      *lease = reply;
      return;
    }
  }
}

/* Returns when the lease has ended. */
static void keep(int file, const u8 *hardware, struct lease *lease) {
  struct lease reply;
  for (;;) {
    /* A lease without a time, or one of 0xffffffff, does not end. */
    if (lease->seconds == 0 || lease->seconds == 0xffffffff)
      for (;;) sleep_milliseconds(1000 * 3600);
    u64 begun = milliseconds_now(), end = begun + 1000 * (u64)lease->seconds;
    u64 renewal = lease->renewal != 0 && lease->renewal < lease->seconds ? lease->renewal : lease->seconds / 2;
    sleep_milliseconds(1000 * renewal);
    for (u8 type = 0; type != ACKNOWLEDGE; sleep_milliseconds(type == ACKNOWLEDGE ? 0 : 10000)) {
      u64 now = milliseconds_now();
      if (now >= end) return;
      u32 exchange = (u32)(now * 2654435761u);
      u64 size = compose(REQUEST, lease, hardware, exchange, 1);
      /* After seven eighths of the time any server may answer. */
      u32 server = lease->server != 0 && now < begun + (end - begun) / 8 * 7 ? lease->server : 0xffffffff;
      type = ask(file, server, size, 4000, hardware, exchange, &reply);
      if (type == REFUSE) return;
      if (type == ACKNOWLEDGE) {
        if (reply.server == 0) reply.server = lease->server;
        *lease = reply;
      }
    }
  }
}

static void run_client(const char *card, int notice) {
  struct interface_request request;
  struct lease lease;
  u32 yes = 1;
  u64 none = 0;
  int file = (int)call3(SYS_socket, 2, 2, 0);
  call4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
  fill(&request, 0, sizeof request);
  fill(&lease, 0, sizeof lease);
  if (file < 0 || bring_up(file, card) < 0 || control(file, card, SIOCGIFHWADDR, &request) < 0) call1(SYS_exit, 1);
  u8 *hardware = request.u.hardware.address;
  struct address any = {2, CLIENT_PORT, 0, {0}};
  call5(SYS_setsockopt, file, 1, 2 /* SO_REUSEADDR */, &yes, sizeof yes);
  call5(SYS_setsockopt, file, 1, 6 /* SO_BROADCAST */, &yes, sizeof yes);
  call5(SYS_setsockopt, file, 1, 25 /* SO_BINDTODEVICE */, card, length_of(card) + 1);
  if (call3(SYS_bind, file, &any, sizeof any) < 0) call1(SYS_exit, 1);
  for (;;) {
    acquire(file, hardware, &lease);
    apply(file, card, &lease);
    call3(SYS_write, notice, "+", 1);
    keep(file, hardware, &lease);
    say(card, " has lost its address", 0);
    set_address(file, card, SIOCSIFADDR, 0);
  }
}

void start_network(void) {
  int notice[2];
  int file = (int)call3(SYS_socket, 2, 2, 0);
  bring_up(file, "lo");
  close_file(file);
  if (setting("network", 0) == 0) return;
  /* Some drivers find their cards late. */
  for (u32 tries = 0; card_count == 0 && tries < 60; tries++) {
    each_name("/sys/class/net", add_card);
    if (card_count == 0) sleep_milliseconds(50);
  }
  if (card_count == 0 || call2(SYS_pipe2, notice, O_CLOEXEC) < 0) {
    say("no network card is found", 0, 0);
    return;
  }
  for (u32 index = 0; index < card_count; index++)
    if (call0(SYS_fork) == 0) run_client(cards[index], notice[1]);
  struct pollfd ready = {notice[0], POLLIN, 0};
  if (call3(SYS_poll, &ready, 1, FIRST_WAIT) <= 0) say("no address yet; going on without", 0, 0);
  /* The other end stays: a client that finds an address later must not die of telling so. */
  close_file(notice[1]);
}
