import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Context } from "../../context.ts";
import { ConverterError } from "../../errors.ts";
import { JoinedVolume } from "../joined-volume.ts";
import { RefusedSource } from "../refused-source.ts";
import type { Volume, VolumeFormat } from "../volume-system.ts";
import { damagedMember, memberStale, unusable } from "./errors.ts";
import { readMember } from "./find-member.ts";
import { layOut, levelName } from "./layout.ts";
import type { Member } from "./superblock.ts";

/**
 * Linux software RAID (md): one system with one volume for each array. An array that cannot be read is listed and throws on
 * use. Throws CorruptError MD_UNUSABLE where no member can be used.
 */
export const format: VolumeFormat = {
  name: "md",
  async open(sources, ctx) {
    const arrays = new Map<string, [Member, ...Member[]]>();
    let reason: string | undefined;
    for (const source of sources) {
      ctx.signal.throwIfAborted();
      const member = await orReason(() => readMember(source));
      if (typeof member === "string") {
        reason ??= member;
        ctx.diagnostic(damagedMember(source.name, member));
        continue;
      }
      const known = arrays.get(member.uuid);
      if (known === undefined) arrays.set(member.uuid, [member]);
      else known.push(member);
    }
    const [first] = sources;
    if (arrays.size === 0 && reason !== undefined) throw unusable(first?.name ?? "", reason);
    const names = deviceNames([...arrays.values()].map(([{ name }]) => name));
    return [...arrays].map(([uuid, members], index) => {
      const volume = openArray(names[index] ?? "md127", members, ctx);
      return { scheme: "md", uuid, label: members[0].name || undefined, sectorSize: 512, volumes: [volume] };
    });
  },
};

/** What is damaged in one place must not hide what stands in the others. */
async function orReason<T>(open: () => Promise<T | string>): Promise<T | string> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof ConverterError) return error.message;
    throw error;
  }
}

/**
 * The names under /dev: the host in front of an array's name is dropped, a number is that of a device, any other name stands
 * in /dev/md. Where that is taken, or there is none, numbers count down from 127 as mdadm does it.
 */
function deviceNames(names: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  let spare = 127;
  return names.map((name) => {
    const own = name.slice(name.indexOf(":") + 1);
    let device = /^[0-9]+$/.test(own) ? `md${Number(own)}` : `md/${own}`;
    while (own === "" || taken.has(device)) {
      device = `md${spare--}`;
      if (!taken.has(device)) break;
    }
    taken.add(device);
    return device;
  });
}

function openArray(id: string, members: readonly [Member, ...Member[]], ctx: Context): Volume {
  const current = currentMembers(id, members, ctx);
  const type = levelName(current[0].level);
  const facts = { id, type, typeName: `Linux ${type} array`, uuid: undefined };
  return new JoinedVolume(facts, contentOf(id, current));
}

function contentOf(id: string, members: readonly [Member, ...Member[]]): ByteSource {
  try {
    return layOut(`array ${id}`, members);
  } catch (error) {
    if (!(error instanceof ConverterError)) throw error;
    const [{ size, dataSize }] = members;
    return new RefusedSource(`array ${id}`, size || dataSize, error);
  }
}

/** Those with the most events, or one fewer, as the kernel allows it: the others missed what was written since. */
function currentMembers(
  id: string,
  members: readonly [Member, ...Member[]],
  ctx: Context,
): readonly [Member, ...Member[]] {
  const events = Math.max(...members.map((member) => member.events));
  const [first = members[0], ...others] = members.filter((member) => member.events + 1 >= events);
  for (const { source, events: seen } of members) {
    if (seen + 1 < events) ctx.diagnostic(memberStale(source.name, `array ${id}`));
  }
  return [first, ...others];
}
