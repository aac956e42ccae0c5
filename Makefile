# Everything that the project can do from a fresh clone. Each target does its own set-up.
.PHONY: setup demo demo-tampered test test-slow lint bench bench-large survey screenshots clean
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

# Most of a test is waiting for programs and disks: two workers a core.
test: setup
	@$(PY) -m pytest -q -n 4 -m "not slow and not network"

test-slow: setup
	@$(PY) -m pytest -q -m "slow or network"

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

screenshots: setup
	@$(PY) tests/console/make_screenshots.py

clean:
	rm -rf .venv demo dist
