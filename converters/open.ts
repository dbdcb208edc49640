import { standardInput } from "../src/bytes/stdio.ts";
import type { Context } from "../src/context.ts";
import { openPackage } from "../src/ovf/open-package.ts";
import type { Package } from "../src/ovf/package.ts";
import type { ImageTransport } from "../src/transport/image-transport.ts";
import { transports } from "../src/transport/index.ts";
import { notAMachine } from "./errors.ts";
import { type Guest, type Machine, type MachineOptions, openGuest, openMachine } from "./machine/machine.ts";
import type { RootOptions } from "./machine/root.ts";
import { parseReference, type Reference } from "./reference.ts";

/** The package behind a reference; `ova:-` and the like read standard input. */
export async function openPackageAt(reference: Reference, ctx: Context): Promise<Package> {
  if (reference.side !== "machine") throw notAMachine(`${reference.transport}:${reference.details}`);
  if (reference.details !== "-") return await openPackage({ kind: "path", path: reference.details }, ctx);
  return await openPackage({ kind: "stream", content: standardInput(ctx.signal), name: "standard input" }, ctx);
}

/** A machine with the package that it borrows; disposing it closes both. */
export async function openMachineAt(
  text: string,
  options: MachineOptions,
  ctx: Context,
): Promise<{ readonly machine: Machine } & AsyncDisposable> {
  const reference = await parseReference(text, ctx);
  const pkg = await openPackageAt(reference, ctx);
  try {
    const format = reference.transport === "raw" ? { format: "raw" } : {};
    const machine = await openMachine(pkg, { ...format, ...options }, ctx);
    return {
      machine,
      async [Symbol.asyncDispose]() {
        await machine[Symbol.asyncDispose]();
        await pkg[Symbol.asyncDispose]();
      },
    };
  } catch (cause) {
    await pkg[Symbol.asyncDispose]();
    throw cause;
  }
}

/** For reading what stands at a destination: the registry there is asked as the destination is. */
export function asDestination(ctx: Context): Context {
  return { ...ctx, registries: { ...ctx.registries, source: ctx.registries.destination ?? {} } };
}

/** The transport of an image reference. */
export async function transportOf(reference: Reference): Promise<ImageTransport> {
  const entry = transports.byName(reference.transport);
  if (entry === undefined) throw new Error(`${reference.transport} is no transport of images`);
  return await entry.load();
}

/** The files of a machine with all that they borrow; disposing it closes everything. */
export async function openGuestAt(
  text: string,
  options: MachineOptions & RootOptions,
  ctx: Context,
): Promise<{ readonly machine: Machine; readonly guest: Guest } & AsyncDisposable> {
  const opened = await openMachineAt(text, options, ctx);
  try {
    const guest = await openGuest(opened.machine, options, ctx);
    return { machine: opened.machine, guest, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  } catch (cause) {
    await opened[Symbol.asyncDispose]();
    throw cause;
  }
}
