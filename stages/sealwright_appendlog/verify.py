#!/usr/bin/env python3
"""Check a sealed log alone: python3 -I verify.py [LOG]. Who signed it: gpg --verify LOG/SHA256SUMS.asc LOG/SHA256SUMS"""
import base64, hashlib, json, pathlib, sys
log = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "log")
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def need(ok, what): ok or sys.exit(f"BAD: {what}")
stack, count, ends, last = [], 0, {}, {"k": ""}
for line in (log / "index.jsonl").open("rb"):
    last = json.loads(line)
    need(line.endswith(b"\n") and last["n"] == count, f"record {count} is out of order")
    node, bits, count = sha(b"\0", line[:-1]), count, count + 1
    while bits & 1:
        node, bits = sha(b"\1", stack.pop(), node), bits >> 1
    stack.append(node)
    if last["k"] == "data":
        seg, off = last["seg"], last["off"]
        need(seg.startswith("data/") and ".." not in seg and ends.get(seg, 0) == off, f"record {last['n']}: segment")
        with (log / seg).open("rb") as file:
            need(file.seek(off) == off and hashlib.sha256(file.read(last["len"])).hexdigest() == last["sha256"],
                 f"record {last['n']}: its data was changed")
        ends[seg] = off + last["len"]
root = stack.pop() if stack else b""
while stack: root = sha(b"\1", stack.pop(), root)
size, told = (log / "checkpoint.sealed").read_text().split("\n")[1:3]
need(size == str(count) and base64.b64decode(told) == root and last["k"] == "seal", "the checkpoint is of another index")
need({p.relative_to(log).as_posix(): p.stat().st_size for p in log.glob("data/**/*") if not p.is_dir()} == ends, "stray data")
sums = [f"{hashlib.sha256((log / p).read_bytes()).hexdigest()}  {p}\n" for p in sorted([*ends, "index.jsonl", "checkpoint.sealed", "log.vkey"])]
need("".join(sums) == (log / "SHA256SUMS").read_text(), "SHA256SUMS is of other files")
print(f"whole: {count} records, {sum(ends.values())} bytes of output, root {root.hex()}")
