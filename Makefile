# What people and CI call. Each target first sees to the system's packages (packaging/system-packages).

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
CARGO_TARGET_DIR ?= target
# What is built in beyond the default, for `make install` and the packages: features of Cargo.toml with commas.
ifeq ($(shell uname -s),Linux)
FEATURES ?= kerberos
endif
# What the scripts of packaging/ read.
SETTINGS = PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' DESTDIR='$(DESTDIR)' FEATURES='$(FEATURES)' \
	CARGO_TARGET_DIR='$(abspath $(CARGO_TARGET_DIR))'
# A fresh rustup is not yet on the path of shells that were there before.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help demo test compare compare-builds interop soak lint advisories msrv bench fuzz residue mutants docs picture install uninstall deb rpm sbom \
	reproducible dist windows test-windows msi

# libclang has no C headers of its own; those of gcc serve (tests/vcard and the feature `kerberos` make bindings of C code).
BINDGEN_EXTRA_CLANG_ARGS ?= $(shell gcc -print-file-name=include 2>/dev/null | sed -n 's|^/|-I/|p')
export BINDGEN_EXTRA_CLANG_ARGS

# The independent cards of tests/interop: a package of its own, so that pinwright's graph knows nothing of them.
VCARD := --locked --manifest-path tests/vcard/Cargo.toml --target-dir '$(CARGO_TARGET_DIR)/vcard'

# The oldest Rust that builds the program.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml)

help:
	@echo 'make demo     enroll a virtual card, with a server stand-in, and use its certificate: no card and no server needed'
	@echo 'make test     all tests, also those against a real pcscd with virtual readers'
	@echo 'make compare  the command-line cases at an older revision and here: OLD=REVISION; outputs, APDUs and calls must be equal'
	@echo 'make compare-builds  a job of another build and of this one in turns: OLD=/path/to/pinwright; fails where it takes longer'
	@echo 'make interop  only the tests with independent cards and clients: PIV and OpenPGP, OpenSC, Yubico, GnuPG'
	@echo 'make soak     the agent through 1,008 insertions and 216 yanked cards, some minutes'
	@echo 'make lint     format, clippy, documentation, licences and sources of crates, with warnings as errors'
	@echo 'make advisories  asks the database of weaknesses about every crate; needs a network'
	@echo 'make msrv     builds with the oldest Rust that Cargo.toml promises ($(MSRV)); rustup fetches it'
	@echo 'make bench    time and APDUs against OpenSC on the same card; writes target/bench.json'
	@echo 'make residue  long search for secrets in the memory of finished jobs, half an hour, as root; prints the tables'
	@echo 'make mutants  changes job and card code place by place, and fails where no test notices; up to 3 hours (cargo install cargo-mutants)'
	@echo 'make fuzz     long run of every fuzz target, some minutes (cargo install cargo-fuzz); see fuzz/README.md'
	@echo 'make docs     the book of docs/ as web pages, in target/book; builds mdbook there, where it is missing'
	@echo 'make picture  draws the pictures of README and book anew, from what the program prints and tells now'
	@echo 'make install  release build into $$(DESTDIR)$$(PREFIX) (now: $(DESTDIR)$(PREFIX)), units and polkit rule with it'
	@echo 'make uninstall  removes what make install has put there; a changed configuration and the journal stay'
	@echo 'make deb      packages of Debian in target/packages: pinwright, and pinwright-sim with the stand-ins'
	@echo 'make rpm      the same two as RPM'
	@echo 'make sbom     what they are made of, as CycloneDX JSON'
	@echo 'make reproducible  builds twice in two folders, and compares program and packages'
	@echo 'make windows  pinwright.exe, and the test programs for Windows; on Debian, some minutes; see the book, Windows'
	@echo 'make test-windows  the same, and what of it can be tried under Wine, in a tree of Debian 13: as root; prints a table'
	@echo 'make msi      the installer for Windows, in target/windows: as root'
	@echo 'make dist     a release: checks, packages, SBOM, checksums and notes in target/dist; see CONTRIBUTING.md'

demo:
	@packaging/system-packages $@
	@echo 'Building; the first time takes some minutes …' >&2
	cargo run --quiet --locked --features sim -- demo

test:
	@packaging/system-packages $@
	cargo build $(VCARD)
	cargo test $(VCARD)
	cargo test --locked --all-features

compare:
	@packaging/system-packages $@
	tests/compare/run.sh '$(OLD)'

compare-builds:
	@packaging/system-packages $@
	cargo bench --locked --features sim --bench compare_builds -- '$(OLD)'

interop:
	@packaging/system-packages $@
	cargo build $(VCARD)
	cargo test --locked --all-features --test interop

soak:
	@packaging/system-packages $@
	PINWRIGHT_SOAK=9 cargo test --locked --release --all-features --test agent_pcscd -- --nocapture soak yanks

lint:
	@packaging/system-packages $@
	cargo fmt --all --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo fmt --check --manifest-path tests/vcard/Cargo.toml
	cargo clippy --locked --all-targets --all-features -- -D warnings
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy $(VCARD) --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --all-features
	@deny=$$(packaging/tool cargo-deny) && "$$deny" --log-level error check licenses bans sources && \
		"$$deny" --log-level error --manifest-path tests/vcard/Cargo.toml --config deny.toml check licenses bans sources

advisories:
	@packaging/system-packages $@
	@deny=$$(packaging/tool cargo-deny) && "$$deny" check advisories

msrv:
	@packaging/system-packages $@
	@command -v rustup >/dev/null || { echo 'msrv: rustup is missing, which fetches Rust $(MSRV)' >&2; exit 2; }
	rustup toolchain list | grep -q '^$(MSRV)[.-]' || rustup toolchain install $(MSRV) --profile minimal --no-self-update
	CARGO_PROFILE_DEV_DEBUG=0 cargo +$(MSRV) build --locked --target-dir '$(CARGO_TARGET_DIR)/msrv'
	CARGO_PROFILE_DEV_DEBUG=0 cargo +$(MSRV) build --locked --all-features --target-dir '$(CARGO_TARGET_DIR)/msrv'

bench:
	@packaging/system-packages $@
	cargo bench --locked --features sim --bench enroll --bench agent --bench fleet --bench journal_of_many
	cargo build $(VCARD)
	cargo test --locked --all-features --test interop counts -- --nocapture
	cargo test --locked --all-features --test kerberos figures -- --ignored --nocapture

fuzz:
	@packaging/system-packages $@
	fuzz/run.sh

residue:
	@packaging/system-packages $@
	cargo build $(VCARD)
	cargo build --release --locked --features sim,kerberos --example plain-client
	cargo test --release --locked --features sim,kerberos --test residue -- --ignored --nocapture --test-threads 1

mutants:
	@packaging/system-packages $@
	tests/mutants/run.sh

# Links, keys, commands and command lines in it are checked by tests/book.rs.
docs:
	@packaging/system-packages $@
	@mdbook=$$(packaging/tool mdbook) && "$$mdbook" build docs --dest-dir '$(abspath $(CARGO_TARGET_DIR))/book'

# tests/book.rs holds the committed ones against the program.
picture:
	@packaging/system-packages $@
	cargo test --locked --features sim --test book --test agent -- --ignored draw

# Into a tree (DESTDIR) nothing is installed that this system lacks: that is the packager's.
install:
	@$(if $(DESTDIR),,packaging/system-packages $@)
	cargo build --release --locked --features '$(FEATURES)'
	$(SETTINGS) PROGRAM='$(abspath $(CARGO_TARGET_DIR))/release/pinwright' RECORD=yes packaging/install install
ifeq ($(shell uname -s)$(DESTDIR),Linux)
	@echo 'The agent is installed and not enabled. For the machine, as root:'
	@echo '  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload'
	@echo '  $(PREFIX)/bin/pinwright agent --check'
	@echo '  systemctl enable --now pinwright-agent'
	@echo 'Or for one person, who is asked for PINs by a pinentry: systemctl --user enable --now pinwright-agent'
endif

uninstall:
	$(SETTINGS) packaging/install uninstall

deb rpm:
	@packaging/system-packages $@
	$(SETTINGS) packaging/$@

sbom:
	@packaging/system-packages $@
	$(SETTINGS) packaging/sbom

reproducible:
	@packaging/system-packages $@
	$(SETTINGS) packaging/reproducible

dist:
	@packaging/system-packages $@
	$(SETTINGS) packaging/dist

windows:
	@packaging/system-packages $@
	packaging/windows/build

test-windows: windows
	@packaging/system-packages $@
	.ci/windows

msi: windows
	@packaging/system-packages test-windows
	.ci/windows msi
