"use strict";
/* SHA-256 (FIPS 180-4), of bytes at hand and of a stream, and the log's Merkle tree (RFC 6962, 2.1).
 *
 * WebCrypto has no streams, and takes longer to be asked than a leaf takes to be hashed; so a file of any size, and
 * each leaf and node, is hashed here. `check.js` compares this with WebCrypto before it believes it.
 */
const Tree = (() => {
  const K = new Int32Array([
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2]);
  const W = new Int32Array(64);

  function start() {
    return new Int32Array([
      0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]);
  }

  /* Take the blocks of 64 bytes in bytes[at, end) into the state. */
  function blocks(state, bytes, at, end) {
    let A = state[0], B = state[1], C = state[2], D = state[3], E = state[4], F = state[5], G = state[6], H = state[7];
    for (; at < end; at += 64) {
      for (let i = 0, j = at; i < 16; i++, j += 4)
        W[i] = (bytes[j] << 24) | (bytes[j + 1] << 16) | (bytes[j + 2] << 8) | bytes[j + 3];
      for (let i = 16; i < 64; i++) {
        const x = W[i - 15], y = W[i - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
      }
      let a = A, b = B, c = C, d = D, e = E, f = F, g = G, h = H;
      for (let i = 0; i < 64; i++) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
      }
      A = (A + a) | 0; B = (B + b) | 0; C = (C + c) | 0; D = (D + d) | 0;
      E = (E + e) | 0; F = (F + f) | 0; G = (G + g) | 0; H = (H + h) | 0;
    }
    state[0] = A; state[1] = B; state[2] = C; state[3] = D; state[4] = E; state[5] = F; state[6] = G; state[7] = H;
  }

  class Sha256 {
    constructor() {
      this.state = start();
      this.rest = new Uint8Array(64);
      this.held = 0;
      this.length = 0;
    }

    update(bytes) {
      let at = 0;
      this.length += bytes.length;
      if (this.held) {
        at = Math.min(64 - this.held, bytes.length);
        this.rest.set(bytes.subarray(0, at), this.held);
        this.held += at;
        if (this.held < 64) return this;
        blocks(this.state, this.rest, 0, 64);
        this.held = 0;
      }
      const end = at + ((bytes.length - at) & ~63);
      blocks(this.state, bytes, at, end);
      this.rest.set(bytes.subarray(end));
      this.held = bytes.length - end;
      return this;
    }

    digest() {
      const padded = new Uint8Array(this.held < 56 ? 64 : 128);
      padded.set(this.rest.subarray(0, this.held));
      padded[this.held] = 0x80;
      const view = new DataView(padded.buffer);
      view.setUint32(padded.length - 8, Math.floor(this.length / 2 ** 29));
      view.setUint32(padded.length - 4, (this.length << 3) >>> 0);
      blocks(this.state, padded, 0, padded.length);
      const out = new Uint8Array(32), words = new DataView(out.buffer);
      this.state.forEach((word, i) => words.setInt32(4 * i, word));
      return out;
    }
  }

  const last = new Uint8Array(128), lastView = new DataView(last.buffer), once = start();
  const begin = start();

  /* The hash of bytes at hand; for the many small ones of a tree, it makes nothing but its answer. */
  function sha256(bytes) {
    const end = bytes.length - (bytes.length % 64), rest = bytes.length - end, size = rest < 56 ? 64 : 128;
    once.set(begin);
    blocks(once, bytes, 0, end);
    last.fill(0);
    last.set(bytes.subarray(end));
    last[rest] = 0x80;
    lastView.setUint32(size - 8, Math.floor(bytes.length / 2 ** 29));
    lastView.setUint32(size - 4, (bytes.length << 3) >>> 0);
    blocks(once, last, 0, size);
    const out = new Uint8Array(32);
    for (let i = 0; i < 8; i++) {
      out[4 * i] = once[i] >>> 24;
      out[4 * i + 1] = once[i] >>> 16;
      out[4 * i + 2] = once[i] >>> 8;
      out[4 * i + 3] = once[i];
    }
    return out;
  }

  /* The hash of a leaf: a zero byte, and the line. */
  const room = new Uint8Array(1 << 14), encoder = new TextEncoder();
  function leaf(line) {
    if (line.length > 5000) return sha256(encoder.encode(`\0${line}`));
    room[0] = 0;
    return sha256(room.subarray(0, 1 + encoder.encodeInto(line, room.subarray(1)).written));
  }

  const pair = new Uint8Array(65);
  pair[0] = 1;

  function node(left, right) {
    pair.set(left, 1);
    pair.set(right, 33);
    return sha256(pair);
  }

  /* The roots of the perfect subtrees that cover the leaves so far, largest first. */
  class Range {
    constructor() {
      this.size = 0;
      this.stack = [];
    }

    /* Add the next leaf, or the root of the next 2^level leaves. */
    push(hash, level = 0) {
      if (this.size % 2 ** level) throw new Error("a subtree stands where none can");
      this.size += 2 ** level;
      while (this.stack.length && this.stack[this.stack.length - 1].level === level) {
        hash = node(this.stack.pop().hash, hash);
        level += 1;
      }
      this.stack.push({ hash, level });
    }

    root() {
      if (!this.stack.length) return sha256(new Uint8Array());
      return this.stack.reduceRight((right, left) => (right ? node(left.hash, right) : left.hash), null);
    }
  }

  return { Sha256, sha256, leaf, Range };
})();
if (typeof module !== "undefined") module.exports = Tree;
