import { describe, expect, it } from "vitest";
import { parseAssignments } from "../../../converters/guest/configuration.ts";
import { findInit } from "../../../converters/guest/init-system.ts";
import { compileGuestPolicy } from "../../../converters/guest/policy.ts";
import { parsePort, servicePorts, socketPorts } from "../../../converters/guest/ports.ts";
import { candidates, findServices } from "../../../converters/guest/services.ts";
import { SystemdUnits } from "../../../converters/guest/systemd-units.ts";
import { createContext, type Diagnostic } from "../../../src/context.ts";
import { type MemoryFiles, memoryTree } from "../../support/memory-tree.ts";

const CTX = createContext();
const WANTS = "etc/systemd/system/multi-user.target.wants";
const SYSTEMD: MemoryFiles = { "sbin/init": "-> /lib/systemd/systemd", "lib/systemd/systemd": "ELF", "bin/sh": "#!" };

/** The one service of a unit file, as the machine with these further files has it. */
async function service(name: string, unit: string, more: MemoryFiles = {}, keepSecrets = false) {
  const files = {
    ...SYSTEMD,
    [`lib/systemd/system/${name}`]: unit,
    [`${WANTS}/${name}`]: `-> /lib/systemd/system/${name}`,
    ...more,
  };
  const tree = memoryTree(files);
  const units = await SystemdUnits.open(tree, CTX);
  const found = await findServices(tree, await findInit(tree), units, keepSecrets, CTX);
  return found.find((each) => each.name === name.replace(/\.service$/, ""));
}

describe("systemd services", () => {
  it("are read with their drop-ins, variables and specifiers", async () => {
    const unit = `# Comment
[Unit]
Description=Shop
Requires=postgresql.service redis.service
BindsTo=data.mount
[Service]
Type=notify
User=shop
Group=web
Environment="MODE=a b" LEVEL=1
Environment=LEVEL=2
EnvironmentFile=-/etc/default/shop
EnvironmentFile=-/etc/default/absent
WorkingDirectory=-/srv/shop
ExecStart=/usr/bin/false
KillSignal=SIGINT
RuntimeDirectory=shop shop/%p
[Install]
WantedBy=multi-user.target
`;
    const found = await service("shop.service", unit, {
      "etc/default/shop": "# options\nOPTS=\"--port 80 --name 'x y'\"\nexport HOME_DIR='/srv'\nDB_PASSWORD=hunter2\n",
      "etc/systemd/system/shop.service.d/10-start.conf": `[Service]
ExecStart=
ExecStart=-/usr/bin/shop --unit %n \\
; a comment between
  --home=\${HOME_DIR}/%p $OPTS '\${MODE}' $$x 100%% "a\\x20b" $ABSENT
`,
    });
    expect(found).toEqual({
      name: "shop",
      manager: "systemd",
      stock: false,
      command: [
        "/usr/bin/shop",
        "--unit",
        "shop.service",
        "--home=/srv/shop",
        "--port",
        "80",
        "--name",
        "x y",
        "a b",
        "$x",
        "100%",
        "a b",
      ],
      user: "shop:web",
      environment: ["MODE=a b", "LEVEL=2", "OPTS=--port 80 --name 'x y'", "HOME_DIR=/srv"],
      secretVariables: [{ name: "DB_PASSWORD", path: "etc/default/shop" }],
      workingDirectory: "/srv/shop",
      stopSignal: "SIGINT",
      runDirectories: ["shop", "shop/shop"],
      requires: ["postgresql.service", "redis.service", "data.mount"],
      data: [],
      problems: ["1 of its variables look like secrets and are left out"],
    });
  });

  it.each<[string, string, readonly string[] | undefined, MemoryFiles]>([
    [
      "java.service",
      "ExecStart=/usr/bin/java -Xmx1g -jar /opt/app.jar",
      ["/usr/bin/java", "-Xmx1g", "-jar", "/opt/app.jar"],
      {},
    ],
    ["node.service", "ExecStart=/usr/bin/node server.js", ["/usr/bin/node", "server.js"], {}],
    ["web.service", "ExecStart=/usr/bin/gunicorn --daemon app:main", ["/usr/bin/gunicorn", "app:main"], {}],
    [
      "haproxy.service",
      'Environment="CONFIG=/etc/haproxy/haproxy.cfg"\nExecStart=/usr/sbin/haproxy -Ws -f $CONFIG\nType=notify',
      ["/usr/sbin/haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"],
      {},
    ],
    [
      "httpd.service",
      "Type=notify\nExecStart=/usr/sbin/httpd $OPTIONS -DFOREGROUND",
      ["/usr/sbin/httpd", "-DFOREGROUND"],
      {},
    ],
    [
      "apache2.service",
      "Type=forking\nExecStart=/usr/sbin/apachectl start",
      ["/bin/sh", "-c", ". /etc/apache2/envvars && exec /usr/sbin/apache2 -D FOREGROUND"],
      { "etc/apache2/envvars": "", "usr/sbin/apache2": "" },
    ],
    [
      "apache2.service",
      "Type=forking\nExecStart=/usr/sbin/start_apache2 start",
      ["/usr/sbin/httpd-prefork", "-D", "FOREGROUND"],
      { "usr/sbin/httpd-prefork": "" },
    ],
    [
      "redis-server.service",
      "Type=forking\nExecStart=/usr/bin/redis-server /etc/redis/redis.conf",
      ["/usr/bin/redis-server", "/etc/redis/redis.conf", "--daemonize", "no", "--supervised", "no"],
      { "usr/bin/redis-server": "", "etc/redis/redis.conf": "" },
    ],
    ["own.service", "Type=forking\nExecStart=/opt/own start", undefined, {}],
    ["strange.service", "ExecStart=/opt/own %b", undefined, {}],
    ["quoted.service", "ExecStart=/opt/own 'x", undefined, {}],
    ["argv0.service", "ExecStart=@/usr/bin/app name --x", ["/usr/bin/app", "--x"], {}],
    ["plain.service", "ExecStart=:/usr/bin/app $HOME", ["/usr/bin/app", "$HOME"], {}],
  ])("%s: %j", async (name, lines, command, more) => {
    expect((await service(name, `[Service]\n${lines}\n`, more))?.command).toEqual(command);
  });

  it.each([
    ["once.service", "[Service]\nType=oneshot\nExecStart=/x\n"],
    ["idle.service", "[Service]\nType=simple\nExecStart=/bin/true\n"],
    ["nothing.service", "[Unit]\nDescription=x\n"],
    ["masked.service", ""],
  ])("leaves out %s", async (name, unit) => {
    expect(await service(name, unit)).toBeUndefined();
  });

  it("keep secrets in the environment when asked", async () => {
    const found = await service("a.service", "[Service]\nExecStart=/a\nEnvironment=API_KEY=1\n", {}, true);
    expect(found).toMatchObject({ environment: ["API_KEY=1"], secretVariables: [] });
  });

  it("resolve templates, aliases and masks", async () => {
    const tree = memoryTree({
      ...SYSTEMD,
      "lib/systemd/system/app@.service": "[Service]\nExecStart=/usr/bin/app --instance %i --path %I\n",
      "lib/systemd/system/real.service": "[Service]\nExecStart=/real\n",
      "lib/systemd/system/gone.service": "[Service]\nExecStart=/gone\n",
      "etc/systemd/system/gone.service": "-> /dev/null",
      "etc/systemd/system/alias.service": "-> /lib/systemd/system/real.service",
      [`${WANTS}/alias.service`]: "-> /lib/systemd/system/real.service",
      [`${WANTS}/app@a-b.service`]: "-> /lib/systemd/system/app@.service",
      [`${WANTS}/gone.service`]: "-> /lib/systemd/system/gone.service",
      [`${WANTS}/lost.service`]: "-> /lib/systemd/system/lost.service",
      [`${WANTS}/cron.service`]: "-> /lib/systemd/system/real.service",
    });
    const units = await SystemdUnits.open(tree, CTX);
    expect(await units.wanted()).toEqual(["app@a-b.service", "cron.service", "lost.service", "real.service"]);
    const found = await findServices(tree, "systemd", units, false, CTX);
    expect(found.map(({ name, command }) => [name, command])).toEqual([
      ["app@a-b", ["/usr/bin/app", "--instance", "a-b", "--path", "a/b"]],
      ["real", ["/real"]],
    ]);
  });

  it("find the clusters that Debian's generator would start", async () => {
    const tree = memoryTree({
      ...SYSTEMD,
      "lib/systemd/system/postgresql.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
      [`${WANTS}/postgresql.service`]: "-> /lib/systemd/system/postgresql.service",
      "etc/postgresql/15/main/postgresql.conf": "port = 5433 # (change)\n",
      "etc/postgresql/15/main/start.conf": "# auto or manual\nauto\n",
      "etc/postgresql/15/other/start.conf": "manual\n",
      "usr/lib/postgresql/15/bin/postgres": "ELF",
      "var/lib/postgresql/15/main/PG_VERSION": "15",
    });
    const found = await findServices(tree, "systemd", await SystemdUnits.open(tree, CTX), false, CTX);
    expect(candidates(found)).toMatchObject([
      {
        name: "postgresql@15-main",
        command: [
          "/usr/lib/postgresql/15/bin/postgres",
          "-D",
          "/var/lib/postgresql/15/main",
          "-c",
          "config_file=/etc/postgresql/15/main/postgresql.conf",
        ],
        user: "postgres",
        stopSignal: "SIGINT",
        data: ["/var/lib/postgresql"],
      },
    ]);
    expect(await servicePorts(tree, { name: "postgresql@15-main" }, CTX)).toEqual(["5433/tcp"]);
    const one = await compileGuestPolicy(tree, {}, { service: "postgresql" }, CTX);
    expect(one.command.service?.name).toBe("postgresql@15-main");
  });

  it("run as root, with a warning, where their user does not exist", async () => {
    const diagnostics: Diagnostic[] = [];
    const ctx = createContext({ diagnostic: (each) => void diagnostics.push(each) });
    const unit = "[Service]\nUser=ghost\nExecStart=/a\nEnvironment=SECRET=1\n";
    const files = {
      ...SYSTEMD,
      "lib/systemd/system/a.service": unit,
      [`${WANTS}/a.service`]: "-> /lib/systemd/system/a.service",
    };
    const policy = await compileGuestPolicy(memoryTree(files), {}, { service: "a" }, ctx);
    expect(policy.config).not.toHaveProperty("User");
    expect(diagnostics.map(({ code }) => code)).toContain("GUEST_SERVICE_USER_MISSING");
    expect(policy.tally().report().secrets).toEqual([
      { path: "lib/systemd/system/a.service", kind: "environment", action: "removed" },
    ]);
  });
});

describe("ports", () => {
  it.each<[string, MemoryFiles, readonly string[]]>([
    [
      "nginx",
      {
        "etc/nginx/conf.d/a.conf":
          "server { listen 8080; listen 127.0.0.1:8082; } # listen 2;\nserver {\n\tlisten unix:/run/x;\n\tlisten *:81 udp;\n}",
      },
      ["81/tcp", "8080/tcp"],
    ],
    ["nginx", {}, ["80/tcp"]],
    [
      "apache2",
      { "etc/apache2/ports.conf": "Listen 80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n" },
      ["80/tcp", "443/tcp"],
    ],
    [
      "httpd",
      {
        "etc/httpd/conf/httpd.conf": "Listen 0.0.0.0:8000\n#Listen 1\n",
        "etc/httpd/conf.d/ssl.conf": "Listen 443 https\n",
      },
      ["443/tcp", "8000/tcp"],
    ],
    [
      "sshd",
      { "etc/ssh/sshd_config": "#Port 22\n", "etc/ssh/sshd_config.d/a.conf": "Port 222\nport 223" },
      ["222/tcp", "223/tcp"],
    ],
    ["mysql", { "etc/mysql/my.cnf": "[client]\nport=1\n[mysqld]\nport = 3307\n" }, ["3307/tcp"]],
    ["mariadb", { "etc/my.cnf": "[client]\nport=1\n" }, ["3306/tcp"]],
    ["redis-server", { "etc/redis/redis.conf": "# port 1\nport 6380\n" }, ["6380/tcp"]],
    [
      "tomcat9",
      {
        "etc/tomcat9/server.xml":
          '<Server port="8005">\n<!-- <Connector port="1"/> -->\n<Connector protocol="x"\n port="8081"/><Connector port="$1"/>',
      },
      ["8081/tcp"],
    ],
    ["dnsmasq", {}, ["53/tcp", "53/udp"]],
    ["unknown", {}, []],
  ])("of %s %#", async (name, files, ports) => {
    expect(await servicePorts(memoryTree(files), { name }, CTX)).toEqual(ports);
  });

  it("in time that grows with the text, whatever it is", async () => {
    const texts = [
      "listen 1 ".repeat(100_000),
      '<Connector port="x" '.repeat(50_000),
      "<!--".repeat(200_000),
      "\n".repeat(900_000),
      `A=1${" ".repeat(900_000)}b`,
    ];
    for (const text of texts) {
      const files = ["etc/nginx/nginx.conf", "etc/tomcat9/server.xml", "etc/my.cnf", "etc/os-release"];
      const tree = memoryTree(Object.fromEntries(files.map((path) => [path, text])));
      for (const name of ["nginx", "tomcat9", "mysql"]) await servicePorts(tree, { name }, CTX);
      parseAssignments(text);
    }
  });

  it("of socket units that are enabled", async () => {
    const units = await SystemdUnits.open(
      memoryTree({
        "etc/systemd/system/sockets.target.wants/web.socket": "-> /usr/lib/systemd/system/web.socket",
        "usr/lib/systemd/system/web.socket":
          "[Socket]\nListenStream=9090\nListenStream=/run/x\nListenStream=127.0.0.1:1\nListenDatagram=[::]:514\n",
        "usr/lib/systemd/system/other.socket": "[Socket]\nListenStream=1234\n",
      }),
      CTX,
    );
    expect(await socketPorts(units)).toEqual(["514/udp", "9090/tcp"]);
  });

  it.each([
    ["80", "80/tcp"],
    ["*:80", "80/tcp"],
    ["[::]:80", "80/tcp"],
    ["192.0.2.1:80/udp", "80/udp"],
    ["[::1]:80", undefined],
    ["localhost:80", undefined],
    ["0", undefined],
    ["65536", undefined],
    ["unix:/x", undefined],
    ["", undefined],
  ])("%j is %j", (text, port) => {
    expect(parsePort(text)).toBe(port);
  });
});
