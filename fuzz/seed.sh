#!/bin/sh
# Unpacks the seeds of every target to fuzz/corpus/TARGET, where cargo-fuzz looks for them.
set -eu
cd "$(dirname "$0")/.."
exec cargo test --quiet --locked --features fuzzing --test fuzz -- --ignored --exact unpack_the_seeds --nocapture
