import { Worker } from "node:worker_threads";

/**
 * Starts the module at `moduleUrl` in a thread. Node 20 cannot load TypeScript there, so when this runs from source (tests),
 * the compiled twin below `dist/` is started; `npm test` builds first.
 */
export function startWorker(moduleUrl: string, workerData?: unknown): Worker {
  return new Worker(new URL(compiled(moduleUrl)), { workerData });
}

function compiled(moduleUrl: string): string {
  if (!import.meta.url.endsWith(".ts")) return moduleUrl.replace(/\.ts$/, ".js");
  const root = new URL("../..", import.meta.url).href;
  return `${root}dist/${moduleUrl.slice(root.length).replace(/\.ts$/, ".js")}`;
}
