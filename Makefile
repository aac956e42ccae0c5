# Everything that the project can do from a fresh clone. Each target does its own set-up.
.PHONY: setup demo demo-tampered test test-slow outside lint bench bench-large survey screenshots clean
PY := .venv/bin/python
TOOLS := gpg=gnupg ssh-keygen=openssh-client dropbearkey=dropbear-bin minisign=minisign rpmkeys=rpm git=git \
	curl=curl bwrap=bubblewrap mmdebstrap=mmdebstrap xz=xz-utils bzip2=bzip2 zstd=zstd prlimit=util-linux sqv=sqv \
	strace=strace diffoscope=diffoscope-minimal \
	/usr/share/keyrings/debian-keyring.gpg=debian-keyring \
	/usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring $(SSHD)
# Debian starts an sshd as it is installed, so nobody gets one unasked; CI asks.
SSHD ?=

setup:
	@scripts/setup.sh $(TOOLS)

demo: setup
	@$(PY) scripts/demo.py demo

# The gate stays closed, so this ends red, after the line `the gate held`.
demo-tampered: setup
	@$(PY) scripts/demo.py demo --tampered

# A good part of a test is waiting for programs: two workers a core. The longest tests are the last ones, so whoever
# has nothing more to do takes some from the others.
test: setup
	@$(PY) -m pytest -q -n 4 --dist worksteal -m "not slow and not network"

# Hours. Each test has its own limit (120 s, or its mark), so that one that hangs is one failure and not the end; each is
# named as it ends.
test-slow: setup
	@$(PY) -m pytest -v -m "slow or network" --durations=20

# Other people's programs verify a signed release, by the commands of docs/how-to/verify-with-other-programs.md; the table
# of who does. Takes one package from npm's registry, pinned by its hash, into a folder that is gone afterwards.
outside: setup
	@$(PY) -m pytest -q -rs -m "" tests/outsider/test_outside_verifiers.py

lint: setup
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

bench: setup
	@PYTHONPATH=tests $(PY) -m bench

# A log of 10 GB, written and audited: minutes, and 11 GB of disk below TMPDIR. `make bench-large GB=2` asks for less.
bench-large: setup
	@PYTHONPATH=tests $(PY) -m bench.bench_large $(GB)

# Not part of CI: it asks the machine's Debian archive for real packages, and what they say changes from day to day.
survey: setup
	@PYTHONPATH=tests $(PY) -m survey tarballs 40
	@PYTHONPATH=tests $(PY) -m survey packages 100

# Some minutes: real programs on a real release, walked by keys. All pictures are exchanged, or none.
screenshots: setup
	@PYTHONPATH=tests $(PY) -m pictures

clean:
	rm -rf .venv demo dist
