import { type Credentials, DEFAULT_REGISTRIES, type Registries, type RegistryAccess } from "../context.ts";
import { optionValue } from "./errors.ts";

const REGISTRY = "Registry:";

const common = {
  authfile: {
    type: "string",
    group: REGISTRY,
    describe: "Credential file [default: those of podman, then those of docker]",
  },
  "tls-verify": {
    type: "boolean",
    group: REGISTRY,
    describe: "Insist on TLS and its certificates; =false takes any, and plain http [default: http on localhost only]",
  },
  "retry-times": {
    type: "string",
    group: REGISTRY,
    describe: "Further attempts for what fails for a passing reason [default: 5]",
  },
} as const;

/** Options of commands that read images. */
export const sourceRegistryOptions = {
  ...common,
  "src-creds": {
    type: "string",
    group: REGISTRY,
    describe: "USER:PASSWORD for the source; better in TRANSLOAD_SRC_CREDS than in a list of processes",
  },
  "src-tls-verify": { type: "boolean", group: REGISTRY, describe: "--tls-verify for the source only" },
} as const;

/** Options of commands that read and write images. */
export const registryOptions = {
  ...sourceRegistryOptions,
  "dest-creds": { type: "string", group: REGISTRY, describe: "USER:PASSWORD for the destination" },
  "dest-tls-verify": { type: "boolean", group: REGISTRY, describe: "--tls-verify for the destination only" },
} as const;

/** Names of options whose values are secrets. */
export const SECRET_OPTIONS: readonly string[] = ["src-creds", "dest-creds"];

export interface RegistryArguments {
  readonly authfile?: string | undefined;
  readonly tlsVerify?: boolean | undefined;
  readonly retryTimes?: string | undefined;
  readonly srcCreds?: string | undefined;
  readonly srcTlsVerify?: boolean | undefined;
  readonly destCreds?: string | undefined;
  readonly destTlsVerify?: boolean | undefined;
}

/** What the options and the environment say about registries. Throws UsageError USAGE_OPTION. */
export function registriesOf(args: RegistryArguments, environment: Registries["environment"]): Registries {
  const { authfile, retryTimes, tlsVerify } = args;
  if (retryTimes !== undefined && !/^\d{1,4}$/.test(String(retryTimes)))
    throw optionValue("retry-times", retryTimes, "a whole number from 0 on");
  return {
    ...DEFAULT_REGISTRIES,
    environment,
    source: access("src-creds", args.srcCreds, args.srcTlsVerify ?? tlsVerify),
    destination: access("dest-creds", args.destCreds, args.destTlsVerify ?? tlsVerify),
    ...(authfile === undefined ? {} : { authFile: authfile }),
    ...(retryTimes === undefined ? {} : { retries: Number(retryTimes) }),
  };
}

function access(option: string, creds: string | undefined, tlsVerify: boolean | undefined): RegistryAccess {
  return {
    ...(creds === undefined ? {} : { credentials: credentials(option, creds) }),
    ...(tlsVerify === undefined ? {} : { tlsVerify }),
  };
}

function credentials(option: string, text: string): Credentials {
  const colon = text.indexOf(":");
  // The value itself may be a password.
  if (colon <= 0) throw optionValue(option, "what was given", "USER:PASSWORD");
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
