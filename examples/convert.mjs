// node examples/convert.mjs web01.ova oci:images:web01
import { availableParallelism } from "node:os";
import { convert, createContext, DEFAULT_LIMITS } from "transload";

const [source, destination] = process.argv.slice(2);
const limits = { ...DEFAULT_LIMITS, threads: availableParallelism() };
const progress = ({ stage, done, total }) => console.error(stage, done, "of", total);
const result = await convert({ source, destination }, createContext({ limits, progress }));
console.log(result.target.digest, result.excluded.files, "files left out");
