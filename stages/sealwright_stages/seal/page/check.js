"use strict";
/* What the evidence page checks: bytes in, findings out. It knows no page and no network.
 *
 * - A finding is good, bad, lacking (a signature that is not there yet) or unchecked (this browser can't).
 * - One bad finding is a no; one that is lacking or unchecked is no yes.
 * - Whatever a check raises is one bad finding.
 */
const Check = (() => {
  const SIGNED = ["SHA256SUMS", "log/SHA256SUMS"];
  const DAY = 86400000;
  const encoder = new TextEncoder();

  class Refused extends Error {}

  function demand(holds, because) {
    if (!holds) throw new Refused(because);
  }

  function fromBase64(text) {
    demand(/^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0, "it is no base64");
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  }

  function hex(bytes) {
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function same(one, other) {
    return one.length === other.length && one.every((byte, i) => byte === other[i]);
  }

  function utf8(bytes) {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  }

  function ascii(bytes) {
    return String.fromCharCode(...bytes.subarray(0, 1 << 16)) + (bytes.length > 1 << 16 ? ascii(bytes.subarray(1 << 16)) : "");
  }

  /* A text of a record: itself, or the base64 of other bytes (log format 1). */
  function told(value) {
    return typeof value === "object" ? new TextDecoder().decode(fromBase64(value.b64)) : value;
  }

  /* Path -> SHA-256 of a file as sha256sum writes it. */
  function sums(bytes) {
    const found = new Map();
    const text = utf8(bytes);
    demand(text === "" || text.endsWith("\n"), "its last line is cut");
    for (const line of text.split("\n").slice(0, -1)) {
      const match = /^([0-9a-f]{64}) {2}([^/\\].*)$/.exec(line);
      demand(match && !found.has(match[2]), "a line is not as sha256sum writes it, or is there twice");
      found.set(match[2], match[1]);
    }
    return found;
  }

  /* Everything that is checked of what the page holds. `data` is its evidence, `held` its files of signatures,
   * `pgp` is openpgp.js, `subtle` WebCrypto. */
  class Checking {
    constructor(data, held, pgp, subtle) {
      Object.assign(this, { data, held, pgp, subtle, findings: [], records: new Map(), persons: [], notes: [] });
    }

    tell(ok, what, detail) {
      this.findings.push({ ok, what, detail });
    }

    async step(what, check) {
      try {
        const [ok, detail] = await check();
        this.tell(ok, what, detail);
      } catch (error) {
        this.tell("bad", what, error instanceof Refused ? error.message : `the check itself failed: ${error}`);
      }
    }

    file(name) {
      demand(name in this.data.files, `${name} is not in this page`);
      return fromBase64(this.data.files[name]);
    }

    async all() {
      if (!this.subtle || !this.pgp) {
        const why = this.pgp ? "this browser has WebCrypto only for pages from disk or over https" : "openpgp.js did not run";
        this.tell("unchecked", "everything", why);
        return this;
      }
      await this.step("SHA-256", () => this.arithmetic());
      await this.step("Merkle root", () => this.root());
      await this.step("checkpoint", () => this.checkpoint());
      await this.step("log/SHA256SUMS", () => this.logSums());
      await this.step("products", () => this.products());
      await this.step("policy", () => this.policy());
      await this.step("signatures", () => this.signatures());
      if (this.data.builders !== 1) await this.step("builders", () => this.builders());
      return this;
    }

    /* Our own SHA-256 beside the browser's, over bytes that nobody chose to suit both. */
    async arithmetic() {
      const bytes = encoder.encode(JSON.stringify(this.data.files).slice(0, 20003));
      for (const end of [0, 55, 56, 64, 119, bytes.length]) {
        const theirs = new Uint8Array(await this.subtle.digest("SHA-256", bytes.subarray(0, end)));
        demand(same(theirs, Tree.sha256(bytes.subarray(0, end))), "this page and this browser do not agree on SHA-256");
      }
      return ["good", "this page computes it as the browser does"];
    }

    sealed() {
      const note = utf8(this.file("log/checkpoint.sealed"));
      const end = note.indexOf("\n\n") + 1;
      const match = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n$/.exec(note.slice(0, end));
      demand(match, "checkpoint.sealed is no checkpoint");
      return { text: match[0], origin: match[1], size: Number(match[2]), root: fromBase64(match[3]), lines: note.slice(end + 1) };
    }

    root() {
      const tree = new Tree.Range();
      const lines = [];
      for (const chunk of this.data.log) {
        if (typeof chunk === "string") {
          tree.push(fromBase64(chunk), 8);
          continue;
        }
        for (const item of chunk) {
          if (!item.startsWith("{")) {
            tree.push(fromBase64(item));
            continue;
          }
          this.records.set(tree.size, item);
          lines.push(item);
          tree.push(Tree.leaf(item));
        }
      }
      this.index = lines.length === tree.size ? lines : null;
      const last = this.record(tree.size - 1);
      demand(last.k === "seal", "the last record does not seal the log");
      this.sealedAt = Date.parse(last.t);
      const sealed = this.sealed();
      const counted = tree.size.toLocaleString("en");
      demand(tree.size === sealed.size, `the checkpoint is over ${sealed.size} records, and here are ${tree.size}`);
      demand(same(tree.root(), sealed.root), `computed from ${counted} records, it is not the one that was sealed`);
      const from = this.index ? `all ${counted} records` : `${lines.length.toLocaleString("en")} records and the hashes of the others, ${counted} in all`;
      return ["good", `computed from ${from}; it is the one in the sealed checkpoint: ${hex(sealed.root)}`];
    }

    record(n) {
      demand(this.records.has(n), `record ${n} is not in this page`);
      const record = JSON.parse(this.records.get(n));
      demand(record.n === n, `record ${n} says that it is another`);
      return record;
    }

    async checkpoint() {
      const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\n?$/.exec(utf8(this.file("log/log.vkey")));
      demand(match, "log.vkey is no verifier key");
      const key = fromBase64(match[3]);
      demand(key.length === 33 && key[0] === 1, "log.vkey is no Ed25519 key");
      const id = Tree.sha256(new Uint8Array([...encoder.encode(`${match[1]}\n`), ...key])).subarray(0, 4);
      demand(hex(id) === match[2], "the id in log.vkey is not that of its key");
      const sealed = this.sealed();
      demand(sealed.origin === match[1], "the checkpoint is of another log than the key");
      const line = /^\u2014 ([^+\s]+) ([A-Za-z0-9+/=]+)\n$/.exec(sealed.lines);
      demand(line && line[1] === match[1], "it does not have one signature, of that log");
      const signature = fromBase64(line[2]);
      demand(signature.length === 68 && same(signature.subarray(0, 4), id), "the signature is by another key");
      const opened = JSON.parse(this.records.get(0) || "{}");
      demand(opened.k === "open" && opened.origin === match[1], "the first record does not open this log");
      let good;
      try {
        const imported = await this.subtle.importKey("raw", key.subarray(1), { name: "Ed25519" }, false, ["verify"]);
        good = await this.subtle.verify({ name: "Ed25519" }, imported, signature.subarray(4), encoder.encode(sealed.text));
      } catch (error) {
        return ["unchecked", `this browser's WebCrypto has no Ed25519 (${error.name}): the log's own signature is not checked`];
      }
      demand(good, `the signature of ${match[1]} does not verify`);
      return ["good", `signed by the log's own key ${match[1]}+${match[2]}`];
    }

    async logSums() {
      const listed = sums(this.file("log/SHA256SUMS"));
      for (const name of ["checkpoint.sealed", "log.vkey"])
        demand(listed.get(name) === hex(Tree.sha256(this.file(`log/${name}`))), `it does not name this ${name}`);
      demand(listed.has("index.jsonl"), "it does not name the index");
      if (!this.index) return ["good", "it names this checkpoint and this key; of the index this page has a part only"];
      const bytes = encoder.encode(this.index.map((line) => `${line}\n`).join(""));
      const digest = hex(new Uint8Array(await this.subtle.digest("SHA-256", bytes)));
      demand(listed.get("index.jsonl") === digest, "it names another index.jsonl than these records make");
      return ["good", "it names this checkpoint, this key, and the index that these records make"];
    }

    products() {
      this.listed = sums(this.file("SHA256SUMS"));
      const logged = new Map();
      for (const n of this.data.products) {
        const body = this.record(n).body || {};
        demand(body.e === "product.collected", `record ${n} collects no product`);
        logged.set(`products/${told(body.component)}/${told(body.name)}`, [told(body.sha256), n]);
      }
      for (const [path, digest] of this.listed) {
        demand(logged.has(path), `${path} is in SHA256SUMS, and no record of the log collected it`);
        demand(logged.get(path)[0] === digest, `the log has another SHA-256 of ${path}`);
      }
      for (const path of logged.keys()) demand(this.listed.has(path), `${path} is in the log, and not in SHA256SUMS`);
      for (const [n, line] of this.records) {
        if (!line.includes('"e":"product.collected"')) continue;
        const body = JSON.parse(line).body, path = `products/${told(body.component)}/${told(body.name)}`;
        demand(!logged.has(path) || n <= logged.get(path)[1], `${path} was collected once more, in record ${n}`);
      }
      this.logged = logged;
      return ["good", `${logged.size.toLocaleString("en")} in SHA256SUMS, each with a record of the log that says so`];
    }

    policy() {
      const own = this.file("policy/signers.toml");
      const hash = new Tree.Sha256().update(Tree.sha256(own));
      for (const { name, sha256, base64 } of this.data.keys) {
        const digest = base64 === undefined ? sha256 : hex(Tree.sha256(fromBase64(base64)));
        hash.update(encoder.encode(`${name}\0`)).update(Uint8Array.from(digest.match(/../g), (two) => parseInt(two, 16)));
      }
      const digest = hex(hash.digest()), manifest = hex(Tree.sha256(this.file("policy/release.toml")));
      let runs = 0;
      for (const line of this.records.values()) {
        if (!line.includes('"e":"run.started"')) continue;
        const body = JSON.parse(line).body;
        demand(body.policy_sha256 === digest, "signers.toml or a key is not the one in the log");
        demand(body.manifest_sha256 === manifest, "the manifest is not the one in the log");
        runs += 1;
      }
      demand(runs, "no record says with which policy the run began");
      const words = utf8(own).toUpperCase().replace(/[ \t]/g, ""), owned = new Set();
      for (const fingerprint of this.data.signers.flatMap((signer) => signer.openpgp)) {
        demand(/^([0-9A-F]{40}|[0-9A-F]{64})$/.test(fingerprint), `${fingerprint} is no full fingerprint`);
        demand(words.includes(fingerprint), `signers.toml has no key ${fingerprint}`);
        demand(!owned.has(fingerprint), `the key ${fingerprint} stands for two persons`);
        owned.add(fingerprint);
      }
      return ["good", "manifest, signers.toml and keys are those in the log"];
    }

    async certificates() {
      const found = [];
      for (const { base64 } of this.data.keys) {
        if (base64 === undefined) continue;
        const bytes = fromBase64(base64);
        const blocks = bytes[0] & 0x80 ? [null] : ascii(bytes).match(/-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g) || [];
        for (const block of blocks) {
          try {
            found.push(...(await this.pgp.readKeys(block === null ? { binaryKeys: bytes } : { armoredKeys: block })));
          } catch (error) {
            this.notes.push(`a key file can't be read here: ${error.message}`);
          }
        }
      }
      return found;
    }

    async signatures() {
      const there = SIGNED.filter((name) => this.held[name] !== undefined);
      demand(this.sealedAt, "nobody knows when the log was sealed");
      demand(Number.isInteger(this.data.threshold) && this.data.threshold > 0, "nobody knows how many must have signed");
      if (!there.length) return ["lacking", "nobody has signed it yet"];
      const keys = await this.certificates();
      const by = [];
      for (const name of there) {
        by.push(await this.signersOf(name, keys));
        demand(by[by.length - 1].size, `${name}.asc holds no signature that counts`);
      }
      const missing = SIGNED.filter((name) => !there.includes(name));
      this.persons = missing.length ? [] : [...by[0]].filter((person) => by[1].has(person)).sort();
      const needed = this.data.threshold;
      const counted = `${this.persons.length} of ${needed} needed: ${this.persons.join(", ") || "nobody"}`;
      if (missing.length) return ["lacking", `there is no signature over ${missing[0]} yet`];
      return this.persons.length < needed ? ["lacking", counted] : ["good", counted];
    }

    /* One builder's evidence is no release where several must agree, whoever signed it. */
    builders() {
      demand(this.data.builders > 1, "nobody knows how many builders must agree");
      return ["lacking", `this is one builder's evidence, and ${this.data.builders} must agree: sealwright join`];
    }

    /* The persons whose good signature over a file is there; a bad one by a key of theirs refuses all. */
    async signersOf(name, keys) {
      const text = ascii(fromBase64(this.held[name]));
      demand((text.match(/-----BEGIN/g) || []).length === 1 && /^-----BEGIN PGP SIGNATURE-----\r?\n[\s\S]*-----END PGP SIGNATURE-----\s*$/.test(text),
        `${name}.asc is not one block of signatures`);
      let block;
      try {
        block = await this.pgp.readSignature({ armoredSignature: text });
      } catch (error) {
        throw new Refused(`${name}.asc can't be read: ${error.message}`);
      }
      demand(block.packets.length, `${name}.asc holds no signature`);
      const message = await this.pgp.createMessage({ binary: this.file(name) });
      const persons = new Set(), known = new Set();
      for (const signer of this.data.signers) {
        for (const certificate of keys.filter((key) => signer.openpgp.includes(key.getFingerprint().toUpperCase()))) {
          const config = { minRSABits: 2048 };
          const answer = await this.pgp.verify({ message, signature: block, verificationKeys: [certificate], config });
          for (const [place, each] of answer.signatures.entries()) {
            if (!certificate.getKeys(each.keyID).length) continue;
            known.add(place);
            if (await this.counts(name, signer, certificate, each, keys)) persons.add(signer.name);
          }
        }
      }
      const strangers = block.packets.length - known.size;
      if (strangers) this.notes.push(`${name}.asc has ${strangers} by keys of nobody who may sign: not counted`);
      return persons;
    }

    /* Whether a signature by a signer's key counts; one that does not verify refuses all. */
    async counts(name, signer, certificate, each, keys) {
      const key = certificate.getFingerprint().toUpperCase();
      const whose = `the signature of ${signer.name} over ${name}`;
      if (revoked(certificate, each.keyID, keys)) {
        this.notes.push(`${whose} is not counted: the key ${key} is revoked`);
        return false;
      }
      try {
        await each.verified;
      } catch (error) {
        throw new Refused(`${whose} does not verify (${key}): ${error.message}`);
      }
      const packet = (await each.signature).packets[0], at = packet.created.toISOString();
      const kind = packet.signatureType === 0 && [8, 9, 10].includes(packet.hashAlgorithm);
      demand(kind, `${whose} is of a kind that does not count`);
      demand(!(packet.created.getTime() < this.sealedAt - DAY), `${whose} was made more than a day before the log was sealed`);
      const day = at.slice(0, 10);
      if ((signer.not_before && day < signer.not_before) || (signer.not_after && day > signer.not_after)) {
        this.notes.push(`${whose} is not counted: it was made outside of the person's time`);
        return false;
      }
      this.notes.push(`${signer.name} signed ${name} at ${at.slice(0, 19).replace("T", " ")} UTC with ${key}`);
      return true;
    }

    get word() {
      const has = (ok) => this.findings.some((finding) => finding.ok === ok);
      if (has("bad") || !this.findings.length) return "no";
      if (has("unchecked")) return "unchecked";
      if (!has("lacking")) return "yes";
      return SIGNED.some((name) => this.held[name] !== undefined) ? "few" : "unsigned";
    }
  }

  /* Whether any copy of the certificate has a revocation of it, or of the subkey that signed. Such a key counts nothing,
   * whenever it signed; a revocation that may itself be no good is believed all the same. */
  function revoked(certificate, keyID, keys) {
    const wanted = certificate.getFingerprint();
    return keys
      .filter((key) => key.getFingerprint() === wanted)
      .some((key) => key.revocationSignatures.length || key.getKeys(keyID).some((each) => each.revocationSignatures.length));
  }

  async function check(data, held, pgp, subtle) {
    return new Checking(data, held, pgp, subtle).all();
  }

  return { check, hex };
})();
if (typeof module !== "undefined") module.exports = Check;
