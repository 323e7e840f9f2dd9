# What people and CI call. Each target first sees to the system's packages (packaging/system-packages).

PREFIX ?= /usr/local
# Older versions of polkit look for rules here and in /usr/share only.
SYSCONFDIR ?= /etc
CARGO_TARGET_DIR ?= target
# A fresh rustup is not yet on the path of shells that were there before.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help demo test compare interop soak lint advisories msrv bench fuzz residue mutants docs picture install

# libclang has no C headers of its own; those of gcc serve (tests/vcard and the feature `kerberos` make bindings of C code).
BINDGEN_EXTRA_CLANG_ARGS ?= $(shell gcc -print-file-name=include 2>/dev/null | sed -n 's|^/|-I/|p')
export BINDGEN_EXTRA_CLANG_ARGS

# The independent cards of tests/interop: a package of its own, so that pinwright's graph knows nothing of them.
VCARD := --locked --manifest-path tests/vcard/Cargo.toml --target-dir '$(CARGO_TARGET_DIR)/vcard'

# The oldest Rust that builds the program.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml)

help:
	@echo 'make demo     set the PIN of a virtual card, with a server stand-in: no card and no server needed'
	@echo 'make test     all tests, also those against a real pcscd with virtual readers'
	@echo 'make compare  the command-line cases at an older revision and here: OLD=REVISION; outputs, APDUs and calls must be equal'
	@echo 'make interop  only the tests with independent cards and clients: PIV and OpenPGP, OpenSC, Yubico, GnuPG'
	@echo 'make soak     the agent through 1,008 insertions and 216 yanked cards, some minutes'
	@echo 'make lint     format, clippy, documentation, licences and sources of crates, with warnings as errors'
	@echo 'make advisories  asks the database of weaknesses about every crate; needs a network'
	@echo 'make msrv     builds with the oldest Rust that Cargo.toml promises ($(MSRV)); rustup fetches it'
	@echo 'make bench    time and APDUs against OpenSC on the same card; writes target/bench.json'
	@echo 'make residue  long search for secrets in the memory of finished jobs, half an hour, as root; prints the table'
	@echo 'make mutants  changes job and card code place by place, and fails where no test notices; up to 3 hours (cargo install cargo-mutants)'
	@echo 'make fuzz     long run of every fuzz target, some minutes (cargo install cargo-fuzz); see fuzz/README.md'
	@echo 'make docs     the book of docs/ as web pages, in target/book; builds mdbook there, where it is missing'
	@echo 'make picture  draws the pictures of README and book anew, from what the program prints and tells now'
	@echo 'make install  release build into $$(DESTDIR)$$(PREFIX) (now: $(DESTDIR)$(PREFIX)), units and polkit rule with it'

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

fuzz:
	@packaging/system-packages $@
	fuzz/run.sh

residue:
	@packaging/system-packages $@
	cargo build $(VCARD)
	cargo build --release --locked --features sim --example plain-client
	cargo test --release --locked --features sim --test residue -- --ignored --nocapture --test-threads 1

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

# A folder that is there keeps its rights: that of polkit's rules is not everybody's.
folders = for folder in $(1); do [ -d "$$folder" ] || install -d -m 755 "$$folder" || exit 1; done

# On Linux with sign-in by Kerberos, elsewhere without: its library was not tried there.
ifeq ($(shell uname -s),Linux)
INSTALLED := --features kerberos
endif

install:
	@packaging/system-packages $@
	cargo build --release --locked $(INSTALLED)
	$(call folders,'$(DESTDIR)$(PREFIX)/bin')
	install -m 755 '$(CARGO_TARGET_DIR)/release/pinwright' '$(DESTDIR)$(PREFIX)/bin/pinwright'
	$(call folders,'$(DESTDIR)$(PREFIX)/share/man/man1' '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' \
		'$(DESTDIR)$(PREFIX)/share/zsh/site-functions' '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d')
	'$(CARGO_TARGET_DIR)/release/pinwright' man --dir '$(DESTDIR)$(PREFIX)/share/man/man1' >/dev/null
	'$(CARGO_TARGET_DIR)/release/pinwright' completions bash > '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pinwright'
	'$(CARGO_TARGET_DIR)/release/pinwright' completions zsh > '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pinwright'
	'$(CARGO_TARGET_DIR)/release/pinwright' completions fish > '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pinwright.fish'
ifeq ($(shell uname -s),Linux)
	$(call folders,'$(DESTDIR)$(PREFIX)/lib/systemd/system' '$(DESTDIR)$(PREFIX)/lib/systemd/user' \
		'$(DESTDIR)$(PREFIX)/lib/sysusers.d' '$(DESTDIR)$(PREFIX)/lib/tmpfiles.d' '$(DESTDIR)$(SYSCONFDIR)/polkit-1/rules.d')
	for unit in system/pinwright-agent.service user/pinwright-agent.service; do \
		sed 's|/usr/local/bin/pinwright|$(PREFIX)/bin/pinwright|' "packaging/systemd/$${unit#system/}" \
			> '$(DESTDIR)$(PREFIX)/lib/systemd/'"$$unit" && \
		chmod 644 '$(DESTDIR)$(PREFIX)/lib/systemd/'"$$unit" || exit 1; \
	done
	install -m 644 packaging/sysusers.d/pinwright.conf '$(DESTDIR)$(PREFIX)/lib/sysusers.d/pinwright.conf'
	install -m 644 packaging/tmpfiles.d/pinwright.conf '$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/pinwright.conf'
	install -m 644 packaging/polkit/50-pinwright.rules '$(DESTDIR)$(SYSCONFDIR)/polkit-1/rules.d/50-pinwright.rules'
	@echo 'The agent is installed and not enabled. For the machine, as root:'
	@echo '  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload'
	@echo '  $(PREFIX)/bin/pinwright agent --check'
	@echo '  systemctl enable --now pinwright-agent'
	@echo 'Or for one person, who is asked for PINs by a pinentry: systemctl --user enable --now pinwright-agent'
endif
