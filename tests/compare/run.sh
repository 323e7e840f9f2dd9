#!/usr/bin/env bash
# Runs every command-line case at an old revision and in this tree, and compares outputs, exit codes, APDUs and HTTP calls:
# make compare OLD=REVISION. A difference that is meant stands in tests/compare/named.toml; any other one is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
revision=$(git rev-parse --verify --quiet "${1:?which revision? make compare OLD=REVISION}^{commit}") || {
	echo "there is no revision $1 here" >&2
	exit 2
}
work=$PWD/${CARGO_TARGET_DIR:-target}/compare
case ${CARGO_TARGET_DIR:-} in /*) work=$CARGO_TARGET_DIR/compare ;; esac
old=$work/$revision
rm -rf "$work/cases"
mkdir -p "$old" "$work/cases"

# The old revision with this tree's way of writing a transcript. Files keep the time of the commit, so cargo builds once.
git archive "$revision" | tar --extract --directory "$old"
if ! grep --quiet 'mod transcript;' "$old/tests/cli.rs"; then
	patch --quiet --strip=1 --directory="$old" < tests/compare/old-case-runner.patch
fi
cp tests/cli/transcript.rs "$old/tests/cli/transcript.rs"
# It lies in this tree's target folder, and is no member of this tree's workspace.
grep --quiet '^\[workspace' "$old/Cargo.toml" || printf '\n[workspace]\n' >> "$old/Cargo.toml"

# The cases that both have, as this tree has them; one that is gone here as the old revision had it.
for file in "$old"/fixtures/cli/*.toml; do
	name=${file##*/}
	if [ -e "fixtures/cli/$name" ]; then cp "fixtures/cli/$name" "$work/cases"; else cp "$file" "$work/cases"; fi
done
for file in fixtures/cli/*.toml; do
	[ -e "$old/$file" ] || echo "new, not compared: ${file##*/}"
done

export PINWRIGHT_CASES=$work/cases PINWRIGHT_NAMED=$PWD/tests/compare/named.toml
transcript() {
	PINWRIGHT_TRANSCRIPT=$work/$1.json cargo test --quiet --locked --all-features --test cli transcript -- --ignored --nocapture
}
(cd "$old" && CARGO_TARGET_DIR=$work/target transcript old)
PINWRIGHT_COMPARE_WITH=$work/old.json transcript new
