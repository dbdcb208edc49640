import type { Context } from "../src/context.ts";
import type { ImageSource } from "../src/transport/image-transport.ts";
import type { OpenImage } from "../src/transport/open-image.ts";
import type { Omission } from "./converter.ts";
import type { MachineOptions } from "./machine/machine.ts";
import type { ApplianceOptions, ApplianceSystem } from "./oci-to-ovf/appliance.ts";
import type { BootOptions } from "./oci-to-ovf/machine-plan.ts";
import type { ContainerOptions } from "./ovf-to-oci/container.ts";
import type { Reference } from "./reference.ts";
import type { ConversionResult, ResultWarning, SourceFacts, TargetFacts } from "./result.ts";

/** One conversion, in the words of the command line. */
export interface ConvertRequest extends MachineOptions, ContainerOptions, ApplianceOptions, BootOptions {
  /** `[transport:]details` */
  readonly source: string;
  /** More images besides `source`: each becomes a machine of its own in one appliance. */
  readonly more?: readonly string[];
  /** `[transport:]details` */
  readonly destination: string;
  /** The form of the image; `container` if absent. */
  readonly as?: string;
  /** The image's full name, `repository:tag`, where the destination can carry one; the machine's name if absent. */
  readonly tag?: string;
  /** Does nothing where the destination holds the image of this source, made with these options. */
  readonly skipExisting?: boolean;
  /** Of the form `disk`: `qcow2`, which is the default, or `raw`. */
  readonly diskFormat?: string;
  /** Of the form `disk`: `kubevirt-yaml` asks for a VirtualMachine that runs the image. */
  readonly emit?: string;
  /** Replaces what stands at the destination. */
  readonly force?: boolean;
  /** Copies an index with all its images, instead of the one for `platform`. */
  readonly all?: boolean;
}

/** The two ends of a conversion. */
export interface Places {
  readonly from: Reference;
  readonly to: Reference;
}

/** What `transload convert` would do: reads metadata only. */
export interface ConversionPlan {
  readonly source: string;
  readonly destination: string;
  readonly form: TargetFacts["mode"];
  /** One line for each part of the input that is used. */
  readonly uses: readonly string[];
  readonly omissions: readonly Omission[];
  readonly secrets: NonNullable<ConversionResult["secrets"]>;
  /** Bytes that had to be written to the temporary directory. */
  readonly tempBytes: number;
  readonly warnings: readonly ResultWarning[];
}

/** What a conversion tells of what it did, besides what is the same for all. */
export interface Outcome extends Pick<ConversionResult, "config" | "excluded" | "secrets" | "replaced" | "emitted"> {
  readonly source: Omit<SourceFacts, "ref">;
  readonly target: Omit<TargetFacts, "ref">;
  /** Bytes. */
  readonly bytesWritten: number;
  readonly bytesReused: number;
  readonly tempBytes: number;
}

/** A plan without what is the same for all. */
export type PlanParts = Omit<ConversionPlan, "source" | "destination" | "warnings">;

/** A way from one kind of place to another: it opens the source, and what it writes is seen only once all has proved right. */
export interface Conversion {
  plan(request: ConvertRequest, places: Places, ctx: Context): Promise<PlanParts>;
  run(request: ConvertRequest, places: Places, ctx: Context): Promise<Outcome>;
}

/** An image that is open: it may come through a pipe, so it is opened once, before anybody knows what it holds. */
export interface SourceImage {
  readonly source: ImageSource;
  readonly image: OpenImage;
}

/** A way from an image, which stays the caller's, to a machine. Otherwise as `Conversion`. */
export interface ImageConversion {
  plan(from: SourceImage, request: ConvertRequest, places: Places, ctx: Context): Promise<PlanParts>;
  run(from: SourceImage, request: ConvertRequest, places: Places, ctx: Context): Promise<Outcome>;
  /**
   * The image as one machine of an appliance with several; absent where it is no machine. `name` is for an image that does not
   * remember its machine's. What has to be closed once the appliance is written is added to `closing`.
   */
  machine?(
    from: SourceImage,
    name: string,
    request: ConvertRequest,
    closing: AsyncDisposable[],
    ctx: Context,
  ): Promise<ApplianceSystem>;
}
