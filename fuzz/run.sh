#!/bin/sh
# The long run: fuzz/run.sh [TARGET...], then a table as in README.md. JOBS=2 targets at a time, RUNS_tlv=5000000 executions
# of one. Logs are in fuzz/target/logs, inputs that fail in fuzz/artifacts.
set -eu
cd "$(dirname "$0")"
logs=target/logs

runs() {
    case $1 in
        tlv) echo 5000000 ;;
        server_secrets) echo 3000000 ;;
        server_policy | server_errors | journal) echo 2000000 ;;
        channel) echo 500000 ;;
        config) echo 300000 ;;
        *) echo 1000000 ;;
    esac
}

if [ "${1-}" = --one ]; then
    count=$(eval echo "\${RUNS_$2:-$(runs "$2")}")
    # An input that takes 5 s is a hang.
    cargo fuzz run --sanitizer none "$2" -- -runs="$count" -max_len=4096 -timeout=5 -print_final_stats=1 \
        >"$logs/$2.log" 2>&1 || echo "$2 has failed: see fuzz/$logs/$2.log" >&2
    exit 0
fi

[ $# -gt 0 ] || set -- tlv channel gids piv openpgp iso7816 server_objects server_policy server_secrets server_errors server_certificates config fixture journal
./seed.sh >&2
# No unsafe code is built here, so no sanitizer is needed; and without one stable Rust is enough.
cargo fuzz build --sanitizer none >&2
mkdir -p "$logs"
printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -n 1 ./run.sh --one

echo '| target | executions | per second | edges | features | corpus | crashes | hangs |'
echo '|---|---:|---:|---:|---:|---:|---:|---:|'
for target; do
    awk -v target="$target" '
        $2 == "INITED" { edges = $4; features = $6; split($8, size, "/"); corpus = size[1] }
        $3 == "cov:" { last_edges = $4; last_features = $6; split($8, size, "/"); last_corpus = size[1] }
        /number_of_executed_units/ { count = $2 }
        /average_exec_per_sec/ { speed = $2 }
        /ERROR: libFuzzer: timeout/ { hangs++ }
        /ERROR: libFuzzer: (deadly|out-of)/ { crashes++ }
        END {
            printf "| `%s` | %d | %d | %d → %d | %d → %d | %d → %d | %d | %d |\n", target, count, speed,
                edges, last_edges, features, last_features, corpus, last_corpus, crashes, hangs
        }' "$logs/$target.log"
done
awk '/number_of_executed_units/ { sum += $2 } END { print "\nIn all: " sum " executions." }' $(printf "$logs/%s.log " "$@")
