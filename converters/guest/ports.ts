import type { Context } from "../../src/context.ts";
import { meaningfulLines, namesIn, readText, readTexts } from "./configuration.ts";
import type { GuestService } from "./guest-service.ts";
import type { SystemdUnits } from "./systemd-units.ts";
import type { GuestTree } from "./tree.ts";

/** As OCI's ExposedPorts: `80/tcp`. */
export type Port = string;

interface PortReader {
  /** Of the service, without a suffix. */
  readonly service: RegExp;
  /** Where the service listens if its configuration does not tell. */
  readonly usual: readonly Port[];
  /** Port numbers or addresses with ports, in the text of the configuration. */
  read(tree: GuestTree, ctx: Context): Promise<readonly string[]>;
}

const READERS: readonly PortReader[] = [
  {
    service: /^nginx$/,
    usual: ["80/tcp"],
    read: async (tree, ctx) => {
      let texts = await textsOf(tree, ["etc/nginx/nginx.conf", "usr/local/nginx/conf/nginx.conf"], ctx);
      for (const directory of ["conf.d", "sites-enabled", "http.d", "vhosts.d"]) {
        texts = texts.concat(
          await readTexts(tree, `etc/nginx/${directory}`, directory === "sites-enabled" ? "" : ".conf", ctx),
        );
      }
      return texts.flatMap((text) => all(text.replace(/#.*/g, ""), /(?<![\w$-])listen\s+([^\s;]+)/g));
    },
  },
  {
    service: /^(?:apache2|httpd)$/,
    usual: ["80/tcp"],
    read: async (tree, ctx) => {
      const files = [
        "etc/apache2/ports.conf",
        "etc/apache2/httpd.conf",
        "etc/apache2/listen.conf",
        "etc/httpd/conf/httpd.conf",
      ];
      let texts = await textsOf(tree, files, ctx);
      for (const directory of ["etc/httpd/conf.d", "etc/apache2/conf.d", "etc/apache2/sites-enabled"]) {
        texts = texts.concat(await readTexts(tree, directory, ".conf", ctx));
      }
      return texts.flatMap((text) => captures(text, /^\s*Listen\s+(\S+)/i));
    },
  },
  {
    service: /^sshd?$/,
    usual: ["22/tcp"],
    read: async (tree, ctx) => {
      let texts = await textsOf(tree, ["etc/ssh/sshd_config"], ctx);
      texts = texts.concat(await readTexts(tree, "etc/ssh/sshd_config.d", ".conf", ctx));
      return texts.flatMap((text) => captures(text, /^\s*Port\s+(\d+)/i));
    },
  },
  {
    service: /^postgresql/,
    usual: ["5432/tcp"],
    read: async (tree, ctx) => {
      const files = ["var/lib/pgsql/data/postgresql.conf", "var/lib/postgresql/data/postgresql.conf"];
      for (const version of await namesIn(tree, "etc/postgresql")) {
        for (const cluster of await namesIn(tree, `etc/postgresql/${version}`)) {
          files.push(`etc/postgresql/${version}/${cluster}/postgresql.conf`);
        }
      }
      return (await textsOf(tree, files, ctx)).flatMap((text) => captures(text, /^\s*port\s*=\s*(\d+)/));
    },
  },
  {
    service: /^(?:mysqld?|mariadb)(?:@|$)/,
    usual: ["3306/tcp"],
    read: async (tree, ctx) => {
      let texts = await textsOf(tree, ["etc/my.cnf", "etc/mysql/my.cnf"], ctx);
      for (const directory of [
        "etc/my.cnf.d",
        "etc/mysql/conf.d",
        "etc/mysql/mysql.conf.d",
        "etc/mysql/mariadb.conf.d",
      ]) {
        texts = texts.concat(await readTexts(tree, directory, ".cnf", ctx));
      }
      return texts.flatMap((text) => captures(serverSections(text), /^\s*port\s*=\s*(\d+)/));
    },
  },
  {
    service: /^redis(?:-server)?(?:@|$)/,
    usual: ["6379/tcp"],
    read: async (tree, ctx) =>
      (await textsOf(tree, ["etc/redis/redis.conf", "etc/redis.conf"], ctx)).flatMap((text) =>
        captures(text, /^\s*port\s+(\d+)/),
      ),
  },
  {
    service: /^tomcat/,
    usual: ["8080/tcp"],
    read: async (tree, ctx) => {
      const homes = [10, 9, 8, 7, ""].map((version) => `etc/tomcat${version}/server.xml`);
      const texts = await textsOf(
        tree,
        [...homes, "opt/tomcat/conf/server.xml", "usr/share/tomcat/conf/server.xml"],
        ctx,
      );
      return texts.flatMap((text) => all(withoutComments(text), /<Connector\b[^<>]*?\bport="(\d+)"/g));
    },
  },
  { service: /^mongod$/, usual: ["27017/tcp"], read: async () => [] },
  { service: /^memcached$/, usual: ["11211/tcp"], read: async () => [] },
  { service: /^(?:named|bind9|dnsmasq)$/, usual: ["53/tcp", "53/udp"], read: async () => [] },
];

/** Where a service listens, by its configuration or, failing that, by custom; nothing for one that is not known. */
export async function servicePorts(
  tree: GuestTree,
  service: Pick<GuestService, "name">,
  ctx: Context,
): Promise<Port[]> {
  const reader = READERS.find(({ service: name }) => name.test(service.name));
  if (reader === undefined) return [];
  const found = (await reader.read(tree, ctx))
    .map((address) => parsePort(address))
    .filter((port) => port !== undefined);
  return sortPorts(found.length > 0 ? found : reader.usual);
}

/** Where systemd itself listens for the enabled .socket units, systemd.socket(5); paths and netlink are none of it. */
export async function socketPorts(units: SystemdUnits): Promise<Port[]> {
  const ports: (Port | undefined)[] = [];
  for (const name of await units.sockets()) {
    const unit = await units.load(name);
    for (const address of unit?.all("Socket", "ListenStream") ?? []) ports.push(parsePort(address, "tcp"));
    for (const address of unit?.all("Socket", "ListenDatagram") ?? []) ports.push(parsePort(address, "udp"));
  }
  return sortPorts(ports.filter((port) => port !== undefined));
}

/** `80`, `*:80`, `[::]:80`, `192.0.2.1:80/udp`; undefined for what has no port in it, and for the loopback interface. */
export function parsePort(address: string, protocol = "tcp"): Port | undefined {
  const match = /^(?:(.*):)?(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(address);
  const number = Number(match?.[2] ?? 0);
  if (number < 1 || number > 65_535 || /^(?:127\.|localhost$|\[?::1\]?$)/.test(match?.[1] ?? "")) return undefined;
  return `${number}/${match?.[3] ?? protocol}`;
}

export function sortPorts(ports: Iterable<Port>): Port[] {
  return [...new Set(ports)].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1));
}

async function textsOf(tree: GuestTree, paths: readonly string[], ctx: Context): Promise<string[]> {
  const texts: string[] = [];
  for (const path of paths) {
    const text = await readText(tree, path, ctx);
    if (text !== undefined) texts.push(text);
  }
  return texts;
}

function captures(text: string, line: RegExp): string[] {
  return meaningfulLines(text).flatMap((each) => line.exec(each)?.[1] ?? []);
}

function all(text: string, expression: RegExp): string[] {
  return [...text.matchAll(expression)].map(([, captured = ""]) => captured);
}

/** Of XML. Not by one expression, which would take the square of the time where comments do not end. */
function withoutComments(text: string): string {
  const [before = "", ...others] = text.split("<!--");
  return before + others.map((part) => part.split("-->").slice(1).join("-->")).join("");
}

/** The sections of a my.cnf that the server reads. */
function serverSections(text: string): string {
  return text
    .split(/^(?=[ \t]*\[)/m)
    .filter((section) => /^[ \t]*\[(?:mysqld|mariadbd?|server)/.test(section))
    .join("");
}
