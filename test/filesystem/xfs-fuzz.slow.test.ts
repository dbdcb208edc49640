import { fuzzXfs } from "./xfs-fuzz.ts";

fuzzXfs(2000);
