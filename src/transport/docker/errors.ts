import {
  AuthorisationError,
  type ConverterError,
  CorruptError,
  NotFoundError,
  OutputError,
  TemporaryError,
  UnsupportedError,
  UsageError,
} from "../../errors.ts";

const quote = (text: string): string => JSON.stringify(text);

/** An address for messages: its query often carries a signature or a state, which is nobody's business. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** `what` begins with the subject: "the registry answers ...". */
export function answerWrong(url: URL, what: string): CorruptError {
  return new CorruptError("REGISTRY_ANSWER", what, { where: { file: shownUrl(url) } });
}

export function authFileWrong(file: string, what: string): UsageError {
  return new UsageError("REGISTRY_AUTH_FILE", what, { where: { file } });
}

export function blocked(image: string): UsageError {
  return new UsageError("REGISTRY_BLOCKED", "registries.conf blocks this registry", { where: { file: image } });
}

export function busy(url: URL, status: number, detail: string): TemporaryError {
  return new TemporaryError("REGISTRY_BUSY", `the registry keeps answering ${status}${detail}`, {
    where: { file: shownUrl(url) },
  });
}

export function certificateRefused(url: URL, why: string, cause: unknown): AuthorisationError {
  return new AuthorisationError("REGISTRY_CERTIFICATE", `the registry's certificate is not trusted (${why})`, {
    where: { file: url.origin },
    advice: `Put its authority into ~/.config/containers/certs.d/${url.host}/ca.crt, or switch the check off with --tls-verify=false.`,
    cause,
  });
}

export function configWrong(file: string, what: string, cause?: unknown): UsageError {
  return new UsageError("REGISTRY_CONFIG", what, { where: { file }, cause });
}

export function connectionLost(url: URL, why: string, cause: unknown): TemporaryError {
  return new TemporaryError("REGISTRY_CONNECTION", `the connection to the registry broke (${why})`, {
    where: { file: shownUrl(url) },
    cause,
  });
}

export function denied(url: URL, detail: string): AuthorisationError {
  return new AuthorisationError("REGISTRY_DENIED", `the registry does not allow this${detail}`, {
    where: { file: shownUrl(url) },
  });
}

export function helperFailed(helper: string, what: string): AuthorisationError {
  return new AuthorisationError("REGISTRY_CREDENTIAL_HELPER", `the credential helper ${quote(helper)} ${what}`);
}

export function notFound(url: URL, detail: string): NotFoundError {
  return new NotFoundError("REGISTRY_NOT_FOUND", `the registry does not have this${detail}`, {
    where: { file: shownUrl(url) },
  });
}

export function notTls(url: URL, why: string, cause: unknown): AuthorisationError {
  return new AuthorisationError("REGISTRY_TLS", `no TLS could be agreed on with the registry (${why})`, {
    where: { file: url.origin },
    advice: "If it speaks plain http and the network between is yours, say --tls-verify=false.",
    cause,
  });
}

export function redirectRefused(url: URL, what: string): CorruptError {
  return new CorruptError("REGISTRY_REDIRECT", `the registry leads ${what}`, { where: { file: shownUrl(url) } });
}

export function refused(url: URL, status: number, detail: string): UnsupportedError {
  return new UnsupportedError("REGISTRY_REFUSED", `the registry answers ${status}${detail}`, {
    where: { file: shownUrl(url) },
  });
}

export function tagTaken(image: string, digest: string): OutputError {
  return new OutputError("REGISTRY_TAG_EXISTS", `the registry has this tag already, as ${digest}`, {
    where: { file: image },
    advice: "Replace it with --force, or choose another tag.",
  });
}

export function tooLarge(url: URL, detail: string): UnsupportedError {
  return new UnsupportedError("REGISTRY_TOO_LARGE", `the registry does not take this much at once${detail}`, {
    where: { file: shownUrl(url) },
  });
}

export function tokenWrong(url: URL, what: string): CorruptError {
  return new CorruptError("REGISTRY_TOKEN", what, { where: { file: shownUrl(url) } });
}

export function unauthorised(url: URL, detail: string): AuthorisationError {
  return new AuthorisationError("REGISTRY_UNAUTHORISED", `the registry wants other credentials${detail}`, {
    where: { file: shownUrl(url) },
    advice: "Log in with podman login or docker login, or give --authfile, --src-creds or --dest-creds.",
  });
}

export function unreachable(url: URL, cause: unknown): TemporaryError {
  return new TemporaryError("REGISTRY_UNREACHABLE", `the name ${quote(url.hostname)} leads to no machine`, {
    where: { file: url.origin },
    cause,
  });
}

export function uploadBroken(url: URL, cause: ConverterError): TemporaryError {
  return new TemporaryError("REGISTRY_UPLOAD", "a blob could not be sent whole in any attempt", {
    where: { file: shownUrl(url) },
    cause,
  });
}
