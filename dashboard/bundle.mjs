// One component's source/NAME.js, in the folder this is called in, and its lock file → NAME.bundle.js,
// which begins with the hash of what it was made from, and licenses.txt, the notices of the packages
// in it. `make bundles` calls this.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const { build } = createRequire(resolve("package.json"))("esbuild");
const name = process.argv[2];
const parts = [
  ...readdirSync("source").sort().map((file) => [`source/${file}`, `source/${file}`]),
  ["bundle.mjs", process.argv[1]],
  ["package-lock.json", "package-lock.json"],
];
const hash = createHash("sha256");
for (const [part, path] of parts) hash.update(`${part}\0`).update(readFileSync(path)).update("\0");

await build({
  entryPoints: [`source/${name}.js`],
  bundle: true,
  format: "esm",
  minify: true,
  legalComments: "none",
  charset: "utf8",
  banner: { js: `/* made by bundle.mjs from source/; sha256 of it: ${hash.digest("hex")} */` },
  outfile: `${name}.bundle.js`,
});

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const packages = Object.entries(lock.packages)
  .filter(([folder, { dev }]) => folder && !dev)
  .map(([folder]) => folder.replace(/^node_modules\//, ""));
const notices = packages.sort().map((each) => {
  const folder = `node_modules/${each}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[sc]e/i.test(entry));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : `License: ${license}`;
  return `${each} ${version} (${license})\n\n${text}\n`;
});
writeFileSync("licenses.txt", notices.join(`\n${"-".repeat(80)}\n\n`));
