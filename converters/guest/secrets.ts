import { type BytePath, baseName } from "../../src/bytes/byte-path.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import { PathPatterns } from "./path-patterns.ts";
import { alternatives } from "./rules.ts";

export type SecretKind =
  | "ssh-host-key"
  | "authorized-keys"
  | "private-key"
  | "history"
  | "cloud-credentials"
  | "cluster-credentials"
  | "registry-credentials"
  | "password-file"
  | "keytab"
  | "subscription"
  | "password-hash"
  | "environment";

/** Something that a published image should not hold, and what became of it. */
export interface SecretFinding {
  readonly path: BytePath;
  readonly kind: SecretKind;
  readonly action: "removed" | "kept" | "locked";
}

const HOMES = "/{root,home/*,home/*/*,var/lib/*,srv/*}";

const KINDS: readonly (readonly [kind: SecretKind, patterns: readonly string[]])[] = [
  ["ssh-host-key", ["/etc/ssh/ssh_host_*key", "/etc/dropbear/dropbear_*_key"]],
  ["authorized-keys", [`${HOMES}/.ssh/authorized_keys*`, "/etc/ssh/authorized_keys*", "/etc/dropbear/authorized_keys"]],
  [
    "private-key",
    [
      `${HOMES}/.ssh/{id_rsa,id_dsa,id_ecdsa,id_ed25519,id_ecdsa_sk,id_ed25519_sk,identity}`,
      `${HOMES}/.gnupg/{private-keys-v1.d,secring.gpg}`,
      "/etc/ssl/private/*",
      "/etc/pki/tls/private/*",
      "/etc/pki/CA/private/*",
      "/etc/letsencrypt/{archive,keys,accounts}/*",
      "/etc/letsencrypt/live/*/privkey*.pem",
      "/etc/wireguard/*.conf",
      "/etc/openvpn/**/*.key",
      "/etc/ipsec.d/private/*",
    ],
  ],
  [
    "history",
    [
      `${HOMES}/.{bash,ash,sh,zsh,mysql,psql,sqlite,python,node_repl,rediscli,irb}_history`,
      `${HOMES}/.{lesshst,viminfo,histfile,mongorc_history,dbshell}`,
      `${HOMES}/.local/share/fish/fish_history`,
    ],
  ],
  [
    "cloud-credentials",
    [
      `${HOMES}/.aws/{credentials,cli/cache,sso/cache}`,
      `${HOMES}/.azure/*`,
      `${HOMES}/.config/gcloud/*`,
      `${HOMES}/.boto`,
      `${HOMES}/.oci/*`,
      `${HOMES}/.config/{openstack,doctl,hcloud}/*`,
      `${HOMES}/.terraform.d/credentials.tfrc.json`,
      "/etc/boto.cfg",
    ],
  ],
  [
    "cluster-credentials",
    [
      `${HOMES}/.kube/config`,
      "/etc/kubernetes/{*.conf,pki/**}",
      "/etc/rancher/{k3s,rke2}/*.yaml",
      "/var/lib/kubelet/pki/*",
      `${HOMES}/.vault-token`,
    ],
  ],
  [
    "registry-credentials",
    [`${HOMES}/.docker/config.json`, `${HOMES}/.dockercfg`, `${HOMES}/.config/containers/auth.json`],
  ],
  [
    "password-file",
    [
      `${HOMES}/.{netrc,pgpass,my.cnf,mylogin.cnf,git-credentials,npmrc,pypirc,s3cfg}`,
      "/etc/mysql/debian.cnf",
      "/etc/{cifs-credentials,smbcredentials}*",
      "/etc/ppp/{chap,pap}-secrets",
      "/etc/ipsec.secrets",
      "/etc/wpa_supplicant/*.conf",
      "/etc/ldap.secret",
      "/etc/pam_ldap.secret",
    ],
  ],
  [
    "keytab",
    [
      "/etc/krb5.keytab",
      "/etc/*.keytab",
      "/etc/krb5kdc/*",
      "/var/lib/sss/{db,secrets}/*",
      "/var/lib/samba/private/*.{tdb,ldb,keytab}",
    ],
  ],
  [
    "subscription",
    [
      "/etc/pki/{consumer,entitlement,entitlement-host}/*",
      "/etc/sysconfig/rhn/systemid",
      "/var/lib/rhsm/*",
      "/etc/zypp/credentials.d/*",
      "/etc/ubuntu-advantage/private/*",
      "/var/lib/ubuntu-advantage/private/*",
      "/etc/apt/auth.conf",
      "/etc/apt/auth.conf.d/*",
    ],
  ],
];

const FLAT = KINDS.flatMap(([kind, patterns]) => patterns.flatMap(alternatives).map((pattern) => ({ kind, pattern })));
const PATTERNS = new PathPatterns(FLAT.map(({ pattern }) => pattern));

/** The table's index for a path by its name alone; a directory's holds for everything below it. */
export function secretIndex(path: BytePath, isDirectory: boolean): number {
  return PATTERNS.first(path, isDirectory);
}

/** The kind behind an index of `secretIndex`. */
export function secretKind(index: number): SecretKind | undefined {
  return FLAT[index]?.kind;
}

const KEY_NAME = /\.(?:pem|key|p8|ppk)$|^id_|[-_.]key$|^identity$/;
const MOST_KEY_BYTES = 64 << 10;

/** How much of a file it takes to see a private key; most need none. What lies under /usr came with a package, for everyone. */
export function keyHeadBytes(entry: Entry): number {
  const wanted =
    entry.type === "file" &&
    entry.size > 0 &&
    entry.size <= MOST_KEY_BYTES &&
    !/^(?:usr|lib\w*|bin|sbin)\//.test(entry.path);
  return wanted && KEY_NAME.test(baseName(entry.path)) ? Math.min(4096, entry.size) : 0;
}

/** RFC 7468 names, OpenSSH's own, and PuTTY's. */
export function holdsPrivateKey(head: Uint8Array): boolean {
  const text = Buffer.from(head.buffer, head.byteOffset, head.length).toString("latin1");
  return /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----|^PuTTY-User-Key-File-/.test(text);
}

/** /etc/shadow and its like, shadow(5): the second field is a hash unless it is empty or begins with `!` or `*`. */
export function lockPasswords(text: string): { readonly text: string; readonly hashes: number } {
  let hashes = 0;
  const lines = text.split("\n").map((line) => {
    const fields = line.split(":");
    const hash = fields[1];
    if (hash === undefined || hash === "*" || /^!+\*?$/.test(hash)) return line;
    if (hash !== "") hashes++;
    fields[1] = "!";
    return fields.join(":");
  });
  return { text: lines.join("\n"), hashes };
}
