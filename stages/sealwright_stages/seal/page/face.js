"use strict";
/* The page itself: says what `check.js` found in one word, and whether a file at hand is in the release.
 *
 * - Nothing is green before all is checked, and an error is a no.
 * - Text from outside is text: it goes through `textContent`, with what is invisible shown as <U+...>.
 * - A file of up to 256 MiB is hashed by WebCrypto, which is fast and wants it whole; a larger one in slices, here.
 */
(() => {
  const WORDS = {
    yes: ["Yes", "The log is whole, the products are those it names, and enough persons have signed. This page can't say whose keys these are, nor whether the rules were kept: see below."],
    no: ["No", "Something is not as it should be. Don't use these files. What is wrong:"],
    unchecked: ["Not checked", "This browser could not check everything, so this is no yes. What is missing:"],
    unsigned: ["Not signed yet", "The log is whole and the products are those it names. No person vouches for them yet."],
    few: ["Not final yet", "The log is whole and the products are those it names. For a release there is missing:"],
  };
  const MARKS = { good: "✓", bad: "✗", lacking: "…", unchecked: "?" };
  const SLICE = 4 << 20, WHOLE = 256 << 20;
  const at = (id) => document.getElementById(id);
  let found = null;

  /* The text, doing nothing: controls, bidi and odd blanks as glyphs, piled marks cut. */
  function shown(text) {
    const glyph = (c) => `<U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}>`;
    const safe = String(text).replace(/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, glyph).replace(/(\p{M}{2})\p{M}+/gu, "$1");
    return safe.length > 500 ? `${safe.slice(0, 500)}… (+${safe.length - 500})` : safe;
  }

  function element(name, kind, text) {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (text !== undefined) made.appendChild(document.createElement("bdi")).textContent = shown(text);
    return made;
  }

  function say(word, sentence, reasons) {
    at("found").className = `found is-${word}`;
    at("word").textContent = WORDS[word][0];
    at("sentence").textContent = sentence;
    at("reasons").replaceChildren(...reasons.map((reason) => element("li", "", reason)));
    document.title = `${WORDS[word][0]}: ${document.title.replace(/^[^:]*: /, "")}`;
  }

  function show(result, ms) {
    const worst = result.findings.filter((finding) => finding.ok !== "good");
    say(result.word, WORDS[result.word][1], worst.map(({ what, detail }) => `${what}: ${detail}`));
    at("checks").replaceChildren(
      ...result.findings.map(({ ok, what, detail }) => {
        const row = element("li", `is-${ok}`);
        row.append(element("span", "mark", MARKS[ok]), element("b", "", what), ": ", element("span", "", detail));
        return row;
      }));
    at("notes").replaceChildren(...result.notes.map((note) => element("li", "", note)));
    at("took").textContent = `Checked in this browser in ${ms.toFixed(0)} ms.`;
    document.documentElement.dataset.word = result.word;
    document.documentElement.dataset.ms = ms.toFixed(1);
  }

  function failed(error) {
    found = null;
    say("no", "The check itself failed, so nothing is proved.", [String((error && error.message) || error)]);
    document.documentElement.dataset.word = "no";
  }

  /* Where the release has these bytes, and what else is called so. */
  function judged(name, digest) {
    const listed = found && found.listed ? [...found.listed] : [];
    const paths = listed.filter(([, sha256]) => sha256 === digest).map(([path]) => path);
    if (!listed.length) return ["unchecked", "Can't be told", "the list of products can't be read"];
    if (!paths.length) {
      const other = listed.some(([path]) => path.endsWith(`/${name}`));
      const why = other ? "the release has a file of this name with other bytes" : "no product has these bytes";
      return ["bad", "Not in the release", why];
    }
    const where = paths.map((path) => `${path}${found.logged ? `, record ${found.logged.get(path)[1]} of the log` : ""}`).join("; ");
    if (found.word === "yes") return ["good", "In the release", where];
    return [found.word === "no" ? "bad" : "lacking", `Listed, but this page says: ${WORDS[found.word][0]}`, where];
  }

  async function digest(file, row) {
    if (file.size <= WHOLE && globalThis.crypto && crypto.subtle)
      return Check.hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())));
    const hash = new Tree.Sha256();
    for (let begin = 0; begin < file.size; begin += SLICE) {
      const part = new Uint8Array(await file.slice(begin, begin + SLICE).arrayBuffer());
      if (part.length !== Math.min(SLICE, file.size - begin)) throw new Error("it changed while it was read");
      hash.update(part);
      row.textContent = `${shown(file.name)}: ${Math.floor((100 * begin) / file.size)} % read`;
    }
    return Check.hex(hash.digest());
  }

  async function look(files) {
    await ready;
    for (const file of files) {
      const row = element("li");
      at("files").prepend(row);
      let verdict, sha256 = "";
      try {
        sha256 = await digest(file, row);
        verdict = judged(file.name, sha256);
      } catch (error) {
        verdict = ["unchecked", "Can't be read", `${error.message}; is it a folder? By hand: sha256sum FILE, and look for it in SHA256SUMS`];
      }
      const [ok, word, why] = verdict;
      row.className = `is-${ok}`;
      row.replaceChildren(element("span", "mark", MARKS[ok]), element("b", "", word), ": ", element("span", "", `${file.name}: ${why}`));
      if (sha256) row.append(" ", element("code", "", sha256));
    }
  }

  function listen() {
    at("try").hidden = false;
    at("pick").addEventListener("change", () => { look([...at("pick").files]); at("pick").value = ""; });
    addEventListener("dragover", (event) => { event.preventDefault(); at("try").classList.add("over"); });
    addEventListener("dragleave", () => at("try").classList.remove("over"));
    addEventListener("drop", (event) => {
      event.preventDefault();
      at("try").classList.remove("over");
      look([...event.dataTransfer.files]);
    });
  }

  async function main() {
    const begun = performance.now();
    const read = (id) => JSON.parse(at(id).textContent);
    const subtle = globalThis.crypto && globalThis.crypto.subtle;
    const library = typeof openpgp === "undefined" ? null : openpgp;
    found = await Check.check(read("evidence"), read("signatures"), library, subtle);
    const shownHashes = [...document.querySelectorAll("#product-table code")].map((cell) => cell.textContent);
    if (found.listed && shownHashes.join() !== [...found.listed.values()].join())
      found.tell("bad", "this page", "the table of products below is not that of SHA256SUMS");
    show(found, performance.now() - begun);
  }

  addEventListener("error", (event) => failed(event.error || event.message));
  addEventListener("unhandledrejection", (event) => failed(event.reason));
  const ready = main().catch(failed);
  listen();
})();
