// Sources and lock file → map.bundle.js, which begins with the hash of what it was made from, and
// licenses.txt, the notices of the packages in it. `make map` calls this.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const sources = [
  ...readdirSync("source").sort().map((name) => `source/${name}`),
  "build.mjs",
  "package-lock.json",
];
const hash = createHash("sha256");
for (const path of sources) hash.update(`${path}\0`).update(readFileSync(path)).update("\0");

await build({
  entryPoints: ["source/map.js"],
  bundle: true,
  format: "esm",
  minify: true,
  legalComments: "none",
  charset: "utf8",
  banner: { js: `/* made by build.mjs from source/; sha256 of it: ${hash.digest("hex")} */` },
  outfile: "map.bundle.js",
});

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const packages = Object.entries(lock.packages)
  .filter(([folder, { dev }]) => folder && !dev)
  .map(([folder]) => folder.replace(/^node_modules\//, ""));
const notices = packages.sort().map((name) => {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[sc]e/i.test(entry));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : `License: ${license}`;
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync("licenses.txt", notices.join(`\n${"-".repeat(80)}\n\n`));
