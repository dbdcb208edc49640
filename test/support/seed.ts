import fc from "fast-check";

/** The seed of every property: fixed, so that a change is judged by the change. TEST_SEED=random explores, TEST_SEED=N repeats. */
const FIXED = 20_260_101;
const asked = process.env["TEST_SEED"];
const seed = asked === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(asked ?? FIXED);

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
