#!/bin/sh
# Runs the test files of one folder: run.sh SUITE [option of node --test…]
set -eu
cd "$(dirname "$0")"
suite=$1
shift
rm -rf "artifacts/$suite"
# Two files at a time: the machines this runs on have two cores, and each file starts servers of its own.
exec node --import tsx --test --test-concurrency=2 --test-timeout=120000 \
  --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=./harness/summary.js --test-reporter-destination=stdout \
  "$@" "$suite"/*.test.ts
