import { UnsupportedError, UsageError } from "../src/errors.ts";

export function directionUnsupported(source: string, destination: string): UnsupportedError {
  return new UnsupportedError("CONVERT_DIRECTION", `converting ${source} into ${destination} is not supported yet`, {
    advice: "convert a machine (ova:, ovf:, vmdk:, raw:) into an image (oci:, oci-archive:, docker-archive:)",
  });
}

export function formUnsupported(form: string): UnsupportedError {
  return new UnsupportedError("CONVERT_FORM", `the form ${JSON.stringify(form)} is not supported yet`, {
    advice: "--as container is",
  });
}

export function notAMachine(reference: string): UsageError {
  return new UsageError("CONVERT_NOT_A_MACHINE", `${JSON.stringify(reference)} is an image, and this needs a machine`);
}

export function transportUnsupported(transport: string): UnsupportedError {
  return new UnsupportedError("CONVERT_TRANSPORT", `the transport ${transport}: is not supported yet`);
}
