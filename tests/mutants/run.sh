#!/usr/bin/env bash
# Changes the program in one place at a time and sees whether a test notices: what `make mutants` calls. cargo-mutants makes the
# mutants; a survivor that accepted.txt does not list is a failure.
#
#   tests/mutants/run.sh                           src/job and src/provision whole, of src/card and src/server a sample
#   tests/mutants/run.sh src/provision/fit.rs ...  these files whole
#
# The work is done in a copy, in $CARGO_TARGET_DIR/mutants; reports of the last run are there, too.
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
here=$top/tests/mutants
out=$(mkdir -p "${CARGO_TARGET_DIR:-target}/mutants" && cd "${CARGO_TARGET_DIR:-target}/mutants" && pwd)

# Of each SAMPLE mutants in src/card and src/server one, always the same; every file has its share.
SAMPLE=8
# For all of it. Ended by then, it has failed.
HOURS=3
MOST_ACCEPTED=20

say() {
    echo "mutants: $*" >&2
}

if ! cargo mutants --version >/dev/null 2>&1; then
    say 'cargo-mutants is missing: cargo install cargo-mutants --locked'
    exit 2
fi

# The list itself: each entry has its reason, and there are few.
awk -v most="$MOST_ACCEPTED" '
    /^#/ { reason = 1; next }
    /^$/ { reason = 0; next }
    !reason { print "mutants: no reason for: " $0 > "/dev/stderr"; wrong = 1 }
    { count++; reason = 0 }
    END {
        if (count > most) { print "mutants: " count " accepted survivors, " most " are allowed" > "/dev/stderr"; wrong = 1 }
        exit wrong
    }' "$here/accepted.txt"

# A copy that keeps its build from run to run: times of unchanged files stay as they are.
rm -rf "$out/tree"
mkdir -p "$out/tree"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    [ ! -e "$file" ] || printf '%s\0' "$file"
done | tar --null --files-from=- --create --file=- | tar --extract --file=- --directory="$out/tree"

end=$(($(date +%s) + HOURS * 3600))

# mutate NAME OPTION...: a report in $out/NAME. Survivors and mutants that hang are no failure here.
mutate() {
    local name=$1 status=0
    shift
    mkdir -p "$out/$name"
    CARGO_TARGET_DIR=$out/build CARGO_INCREMENTAL=1 timeout --signal=INT "$((end - $(date +%s)))" \
        cargo mutants --dir "$out/tree" --in-place --config "$here/config.toml" --output "$out/$name" --jobs 1 \
        --colors never --no-shuffle "$@" || status=$?
    case $status in
        0 | 2 | 3) ;;
        124) say "not done after $HOURS hours" && exit 1 ;;
        *) say "cargo-mutants has failed ($status)" && exit 1 ;;
    esac
}

rm -rf "$out/whole" "$out/sample"
if [ $# -gt 0 ]; then
    mutate whole "${@/#/--file=}"
    reports=(whole)
else
    mutate whole --file='src/job/**' --file='src/provision/**'
    mutate sample --file='src/card/**' --file='src/server/**' --shard="0/$SAMPLE" --sharding=round-robin
    reports=(whole sample)
fi

# outcomes KIND: the mutants that ended so, without line and column, as often as they are.
outcomes() {
    local report
    for report in "${reports[@]}"; do
        sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /' "$out/$report/mutants.out/$1.txt"
    done | LC_ALL=C sort
}

for kind in caught timeout missed unviable; do
    printf '%-9s %5d\n' "$kind" "$(outcomes "$kind" | wc -l)"
done
accepted() {
    grep -v -e '^#' -e '^$' "$here/accepted.txt" | LC_ALL=C sort || true
}
LC_ALL=C comm -23 <(outcomes missed) <(accepted) >"$out/survivors.txt"
LC_ALL=C comm -13 <(outcomes missed) <(accepted) >"$out/stale.txt"
if [ $# -eq 0 ] && [ -s "$out/stale.txt" ]; then
    say 'accepted, and no survivors any more: take them from tests/mutants/accepted.txt:'
    cat "$out/stale.txt" >&2
fi
if [ -s "$out/survivors.txt" ]; then
    say 'no test notices (reports in '"$out"'/*/mutants.out):'
    cat "$out/survivors.txt" >&2
    exit 1
fi
