import { UnsupportedError, UsageError } from "../src/errors.ts";

export function directionUnsupported(source: string, destination: string): UnsupportedError {
  return new UnsupportedError("CONVERT_DIRECTION", `converting ${source} into ${destination} is not supported`, {
    advice: "convert a machine (ova:, ovf:, vmdk:, raw:) into an image (oci:, oci-archive:, docker-archive:), or back",
  });
}

/** What cannot be done with several images or machines in one command. */
export function severalUnsupported(why: string, advice: string): UsageError {
  return new UsageError("CONVERT_SEVERAL", why, { advice });
}

export function formUnsupported(form: string, known: readonly string[]): UnsupportedError {
  return new UnsupportedError("CONVERT_FORM", `the form ${JSON.stringify(form)} is not supported yet`, {
    advice: `there are ${known.map((each) => `--as ${each}`).join(", ")}`,
  });
}

/** `what` is the image's own word for what it is. */
export function imageUnsupported(reference: string, what: string): UnsupportedError {
  return new UnsupportedError(
    "CONVERT_IMAGE_KIND",
    `${reference} is ${what}, which cannot be converted into a machine yet`,
  );
}

export function copyNeedsImages(reference: string): UsageError {
  return new UsageError("CONVERT_NOT_AN_IMAGE", `${JSON.stringify(reference)} is a machine, and this copies images`, {
    advice: "use transload convert",
  });
}

export function notAMachine(reference: string): UsageError {
  return new UsageError("CONVERT_NOT_A_MACHINE", `${JSON.stringify(reference)} is an image, and this needs a machine`);
}
