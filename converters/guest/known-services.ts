import type { Context } from "../../src/context.ts";
import { firstFile, namesIn } from "./configuration.ts";
import type { GuestTree } from "./tree.ts";
import type { Words } from "./words.ts";

/** A program whose way to run in the foreground, and to be stopped, is not to be learned from its unit or script. */
export interface KnownService {
  /** Of the service, without a suffix. */
  readonly name: RegExp;
  /** The first of these that exists is run. */
  readonly programs: readonly string[];
  /** Arguments; `CONFIG` stands for the first of `configs` that exists; where none does this is not the way. */
  readonly arguments: Words;
  readonly configs?: readonly string[];
  readonly user?: string;
  readonly stopSignal?: string;
  /** Directories that the program wants under /run. */
  readonly runDirectories?: readonly string[];
  /** Where it keeps what should outlive the container. */
  readonly data?: readonly string[];
}

const KNOWN: readonly KnownService[] = [
  {
    name: /^nginx$/,
    programs: ["/usr/sbin/nginx", "/usr/local/nginx/sbin/nginx", "/usr/local/sbin/nginx", "/opt/nginx/sbin/nginx"],
    arguments: ["-g", "daemon off;"],
    stopSignal: "SIGQUIT",
  },
  {
    // Debian's apache2ctl stays between, and does not pass signals on.
    name: /^apache2$/,
    programs: ["/bin/sh"],
    arguments: ["-c", ". /etc/apache2/envvars && exec /usr/sbin/apache2 -D FOREGROUND"],
    configs: ["/etc/apache2/envvars"],
    stopSignal: "SIGWINCH",
    runDirectories: ["apache2", "lock/apache2"],
    data: ["/var/www"],
  },
  {
    name: /^(?:apache2|httpd)$/,
    programs: ["/usr/sbin/httpd", "/usr/sbin/httpd-prefork", "/usr/sbin/apache2"],
    arguments: ["-D", "FOREGROUND"],
    stopSignal: "SIGWINCH",
    runDirectories: ["apache2", "httpd"],
    data: ["/var/www"],
  },
  {
    name: /^(?:mysqld?|mariadb)$/,
    programs: [
      "/usr/sbin/mariadbd",
      "/usr/libexec/mariadbd",
      "/usr/sbin/mysqld",
      "/usr/libexec/mysqld",
      "/usr/bin/mysqld",
    ],
    arguments: ["--user=mysql"],
    runDirectories: ["mysqld"],
    data: ["/var/lib/mysql"],
  },
  {
    name: /^redis(?:-server)?$/,
    programs: ["/usr/bin/redis-server", "/usr/sbin/redis-server", "/usr/local/bin/redis-server"],
    arguments: ["CONFIG", "--daemonize", "no", "--supervised", "no"],
    configs: ["/etc/redis/redis.conf", "/etc/redis.conf"],
    user: "redis",
    runDirectories: ["redis"],
    data: ["/var/lib/redis"],
  },
  {
    name: /^mongod$/,
    programs: ["/usr/bin/mongod"],
    arguments: ["--config", "CONFIG"],
    configs: ["/etc/mongod.conf", "/etc/mongodb.conf"],
    user: "mongodb",
    data: ["/var/lib/mongodb", "/var/lib/mongo"],
  },
  {
    name: /^tomcat[\d.]*$/,
    programs: [10, 9, 8, 7, ""].flatMap((version) => [
      `/usr/share/tomcat${version}/bin/catalina.sh`,
      `/opt/tomcat${version}/bin/catalina.sh`,
    ]),
    arguments: ["run"],
    data: ["/var/lib/tomcat"],
  },
  {
    name: /^haproxy$/,
    programs: ["/usr/sbin/haproxy"],
    arguments: ["-W", "-db", "-f", "CONFIG"],
    configs: ["/etc/haproxy/haproxy.cfg"],
    stopSignal: "SIGUSR1",
    runDirectories: ["haproxy"],
  },
  {
    name: /^php[\d.]*-?fpm[\d.]*$/,
    programs: [
      "/usr/sbin/php-fpm",
      ...["8.4", "8.3", "8.2", "8.1", "8.0", "7.4", "7.3", "7.2", "7.0"].map(
        (version) => `/usr/sbin/php-fpm${version}`,
      ),
      ...["84", "83", "82", "81", "8", "7"].map((version) => `/usr/sbin/php-fpm${version}`),
    ],
    arguments: ["-F"],
    stopSignal: "SIGQUIT",
    runDirectories: ["php", "php-fpm"],
  },
  { name: /^sshd?$/, programs: ["/usr/sbin/sshd"], arguments: ["-D", "-e"], runDirectories: ["sshd"] },
  { name: /^memcached$/, programs: ["/usr/bin/memcached"], arguments: [], user: "memcache" },
  {
    name: /^lighttpd$/,
    programs: ["/usr/sbin/lighttpd"],
    arguments: ["-D", "-f", "CONFIG"],
    configs: ["/etc/lighttpd/lighttpd.conf"],
  },
  {
    name: /^(?:named|bind9)$/,
    programs: ["/usr/sbin/named"],
    arguments: ["-f", "-u", "bind"],
    runDirectories: ["named"],
    data: ["/var/lib/bind"],
  },
  { name: /^dnsmasq$/, programs: ["/usr/sbin/dnsmasq"], arguments: ["-k"] },
  { name: /^squid$/, programs: ["/usr/sbin/squid"], arguments: ["-N"], data: ["/var/spool/squid"] },
  { name: /^crond?$/, programs: ["/usr/sbin/cron", "/usr/sbin/crond"], arguments: ["-f"] },
];

/** What a service is run with, found in the machine. */
export interface ForegroundCommand {
  readonly words: Words;
  readonly user?: string;
  readonly runDirectories: readonly string[];
}

export function knownService(name: string): KnownService | undefined {
  return KNOWN.find((known) => known.name.test(name));
}

/** The known way to run a service in the foreground; undefined if there is none, or its program is not where it should be. */
export async function foregroundCommand(
  tree: GuestTree,
  name: string,
  ctx: Context,
): Promise<ForegroundCommand | undefined> {
  if (/^postgresql/.test(name)) return await postgres(tree, name);
  for (const known of KNOWN) {
    if (!known.name.test(name)) continue;
    ctx.signal.throwIfAborted();
    const program = await firstFile(tree, known.programs);
    const config = await firstFile(tree, known.configs ?? []);
    if (program === undefined || (known.configs !== undefined && config === undefined)) continue;
    const words = [program, ...known.arguments.map((word) => (word === "CONFIG" ? (config ?? word) : word))];
    const { runDirectories = [], user } = known;
    return { words, runDirectories, ...(user !== undefined && { user }) };
  }
  return undefined;
}

export const POSTGRES_DATA = ["/var/lib/postgresql", "/var/lib/pgsql"];

/** Debian keeps clusters in /etc/postgresql/VERSION/NAME, the others one in /var/lib. */
async function postgres(tree: GuestTree, name: string): Promise<ForegroundCommand | undefined> {
  const runDirectories = ["postgresql"];
  const [, version = "", cluster = ""] = /@([\d.]+)-(.+)$/.exec(name) ?? [];
  const versions = version === "" ? await namesIn(tree, "etc/postgresql") : [version];
  for (const each of versions.reverse()) {
    const program = await firstFile(tree, [`/usr/lib/postgresql/${each}/bin/postgres`]);
    const names = cluster === "" ? await namesIn(tree, `etc/postgresql/${each}`) : [cluster];
    const [first] = names;
    if (program === undefined || first === undefined) continue;
    const data = `/var/lib/postgresql/${each}/${first}`;
    const config = `config_file=/etc/postgresql/${each}/${first}/postgresql.conf`;
    return { words: [program, "-D", data, "-c", config], user: "postgres", runDirectories };
  }
  const program = await firstFile(tree, [
    "/usr/bin/postgres",
    "/usr/libexec/postgresql/postgres",
    "/usr/local/bin/postgres",
  ]);
  const data = await firstFile(tree, [
    "/var/lib/pgsql/data/postgresql.conf",
    "/var/lib/postgresql/data/postgresql.conf",
  ]);
  if (program === undefined || data === undefined) return undefined;
  return { words: [program, "-D", data.replace(/\/postgresql\.conf$/, "")], user: "postgres", runDirectories };
}
