#!/bin/sh
# Runs the test files of a folder, or those of it that are named: run.sh FOLDER [NAME…]
set -eu
cd "$(dirname "$0")"
suite=$1
shift
if [ $# -eq 0 ]; then
  rm -rf "artifacts/$suite"
  set -- "$suite"/*.test.ts
else
  for name; do
    shift
    set -- "$@" "$suite/$name.test.ts"
  done
fi
# Two files at a time: the machines this runs on have two cores, and each file starts servers of its own. But what an attack
# costs is measured, and cannot be beside others.
concurrency=2
if [ "$suite" = attacks ]; then concurrency=1; fi
exec node --import tsx --test --test-concurrency=$concurrency --test-timeout=300000 \
  --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=./harness/summary.js --test-reporter-destination=stdout \
  "$@"
