import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { ConverterError } from "../../errors.ts";
import { ATTRIBUTE } from "./file-record.ts";
import { fixed } from "./fixup.ts";
import type { Volume } from "./volume.ts";

const LOG_FILE = 2;
/** Two restart pages of this size begin the log. */
const PAGE = 4096;
const NO_CLIENT = 0xffff;
const VOLUME_IS_CLEAN = 0x2;
const AREA = 0x10;

/** The header of a restart page. */
class RestartPage extends LittleEndianView {
  constructor(bytes: Uint8Array) {
    super(bytes, 0, 0x20);
  }
  get restartOffset(): number {
    return this.u16(0x18);
  }
}

/** What stands at the start of the log. */
class RestartArea extends LittleEndianView {
  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, AREA);
  }
  get currentLsn(): bigint {
    return this.data.getBigUint64(0x00, true);
  }
  get isClean(): boolean {
    return this.u16(0x0c) === NO_CLIENT || (this.u16(0x0e) & VOLUME_IS_CLEAN) !== 0;
  }
}

/** Whether changes stand in the log that the volume does not show: it was in use when the machine stopped or slept. */
export function* hasOpenLog(volume: Volume): Steps<boolean> {
  const record = yield* volume.record(LOG_FILE);
  const log = volume.stream(yield* volume.attributes(record), ATTRIBUTE.DATA, "", LOG_FILE);
  if (log === undefined || log.size < 2 * PAGE) return false;
  const bytes = yield* log.read(0, 2 * PAGE);
  const areas = [restartArea(bytes.subarray(0, PAGE), volume), restartArea(bytes.subarray(PAGE), volume)];
  const [newest] = areas.filter((area) => area !== undefined).sort((a, b) => (a.currentLsn > b.currentLsn ? -1 : 1));
  return newest !== undefined && !newest.isClean;
}

/** Undefined for a page that was never written, as after formatting, or not to its end. */
function restartArea(page: Uint8Array, volume: Volume): RestartArea | undefined {
  try {
    const bytes = fixed(page, "RSTR", "a restart page", volume.name);
    const { restartOffset } = new RestartPage(bytes);
    return restartOffset + AREA <= PAGE ? new RestartArea(bytes, restartOffset) : undefined;
  } catch (error) {
    if (error instanceof ConverterError) return undefined;
    throw error;
  }
}
