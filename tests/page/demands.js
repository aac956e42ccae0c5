"use strict";
/* Runs check.js, as it is and with each of its demands taken out, over the forgeries that stdin gives as JSON:
 * {"scripts": folder of tree.js and check.js, "library": openpgp.js, "forged": {name: [data, held]}}.
 * Says {"whole": {name: [word, what is wrong]}, "without": {demand: [names whose word is another then]}}.
 */
const fs = require("fs"), vm = require("vm");
const asked = JSON.parse(fs.readFileSync(0, "utf8"));
vm.runInThisContext(fs.readFileSync(asked.library, "utf8"));
vm.runInThisContext(fs.readFileSync(`${asked.scripts}/tree.js`, "utf8").replace("const Tree", "var Tree"));
const source = fs.readFileSync(`${asked.scripts}/check.js`, "utf8");
const made = (text) => new Function("Tree", "module", `${text}; return Check;`)(Tree, {});
const sick = new Proxy(crypto.subtle, { get: (subtle, name) => name === "digest"
  ? async (...words) => new Uint8Array(await subtle.digest(...words)).map((byte) => byte ^ 1)
  : subtle[name].bind(subtle) });

async function word(Check, name) {
  const [data, held] = asked.forged[name];
  const found = await Check.check(data, held, openpgp, name.startsWith("sick") ? sick : crypto.subtle);
  return [found.word, found.findings.filter((each) => each.ok !== "good").map((each) => `${each.what}: ${each.detail}`).join("; ")];
}

(async () => {
  const whole = {}, without = {}, names = Object.keys(asked.forged), begin = source.indexOf("function demand") + 20;
  for (const name of names) whole[name] = await word(made(source), name);
  for (let at = source.indexOf("demand(", begin); at >= 0; at = source.indexOf("demand(", at + 1)) {
    const line = source.slice(source.lastIndexOf("\n", at) + 1, source.indexOf("\n", at)).trim();
    const other = made(`${source.slice(0, at)}demand(true || ${source.slice(at + 7)}`);
    const key = `${source.slice(0, at).split("\n").length}: ${line}`;
    without[key] = [];
    for (const name of names) {
      const then = (await word(other, name))[0];
      if (then !== whole[name][0]) without[key].push(name);
    }
  }
  process.stdout.write(JSON.stringify({ whole, without }));
})();
