import { signalUnknown } from "./errors.ts";

const NAMES =
  `HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ
  VTALRM PROF WINCH IO PWR SYS`.split(/\s+/);
const FIRST_REAL_TIME = 34;
const LAST_REAL_TIME = 64;

/** The number on x86 of a `StopSignal`: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`. Throws UnsupportedError APPLIANCE_SIGNAL. */
export function signalNumber(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, "");
  const [, base, offset = "0"] = /^RT(MIN|MAX)([+-]\d{1,2})?$/.exec(name) ?? [];
  const realTime =
    base === undefined ? Number.NaN : (base === "MIN" ? FIRST_REAL_TIME : LAST_REAL_TIME) + Number(offset);
  const number = /^\d+$/.test(name) ? Number(name) : NAMES.indexOf(name) + 1 || realTime;
  if (!(number >= 1 && number <= LAST_REAL_TIME)) throw signalUnknown(text);
  return number;
}
