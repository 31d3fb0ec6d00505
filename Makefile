# Front door of the project: `make help`. Every target does the set-up that it needs, once (tools/setup/setup); the build
# itself is CMake's, by the presets of CMakePresets.json.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TENSORPOOL_DEPS_DIR ?= $(CURDIR)/.deps
PREFIX ?= /usr/local
DEPS_OUT ?= dist/tensorpool-deps-$(shell uname -m).tar.gz
export TENSORPOOL_DEPS_DIR TENSORPOOL_AERON_SOURCE DEPS_ARCHIVE DESTDIR
export PATH := $(abspath $(TENSORPOOL_DEPS_DIR))/bin:$(abspath $(TENSORPOOL_DEPS_DIR))/cmake/bin:$(PATH)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nVariables:\n'
	@printf '  %s\n' 'PREFIX=DIR                   where make install puts it (default /usr/local; DESTDIR works too)' \
	  'SEEDS=N  SEED=X              how many runs make sim makes, and the first one' \

	@printf '  %s\n' 'OVERLAPPED=N                 how long make soak is, in overlapped reads' \
	  'PREFIX=DIR                   where make install puts it (default /usr/local; DESTDIR works too)' \
	  'DEPS_ARCHIVE=FILE            use a file of make deps-archive instead of the network' \
	  'TENSORPOOL_DEPS_DIR=DIR      where dependencies are kept (default .deps)' \
	  'TENSORPOOL_AERON_SOURCE=DIR  an Aeron source tree of your own'

.PHONY: setup-build setup-test setup-coverage setup-aarch64
setup-build setup-test setup-coverage setup-aarch64: setup-%:
	@tools/setup/setup $*

.PHONY: build
build: setup-build ## build/release/bin/tp and the library
	@tools/build-preset --no-tests release

.PHONY: demo
demo: build ## a simulated camera streams between two processes, live
	@build/release/bin/tp demo

.PHONY: check
check: setup-test ## what has to hold before a commit: format, house rules, clang-tidy on the difference, unit tests
	@tools/check

.PHONY: test
test: setup-test ## every test: release, address and thread sanitizers
	@tools/run-tests

.PHONY: test-aarch64
test-aarch64: setup-aarch64 ## cross build for aarch64; unit, codec and ring tests under qemu
	@tools/run-tests aarch64

.PHONY: coverage
coverage: setup-coverage ## lines and branches that unit and property tests run, by folder
	@tools/build-preset coverage tests-unit tests-prop
	@tools/coverage

.PHONY: sim
sim: setup-test ## the simulator: SEEDS=N of them, from SEED=X on (sim/README.md)
	@tools/build-preset release tp-sim
	@build/release/sim/tp-sim --jobs $$(nproc) --seeds $(or $(SEEDS),1000) $(if $(SEED),--seed $(SEED))

.PHONY: model
model: setup-test ## model checking of the ring, larger rings than in make test; some minutes
	@tools/build-preset release ring_model_test
	@TENSORPOOL_MODEL=full build/release/tests/model/ring_model_test --gtest_brief=1

OVERLAPPED ?= 10000000000
.PHONY: soak
soak: setup-test ## the ring lapped between two processes, OVERLAPPED=10000000000 reads; about an hour
	@tools/build-preset release ring_processes_test
	@TENSORPOOL_SOAK=$(OVERLAPPED) build/release/tests/stress/ring_processes_test

.PHONY: soak-readers
soak-readers: build ## a stream with eight readers of different kinds, 10^8 frames: nothing grows; some minutes
	@tools/soak $(if $(FRAMES),--frames $(FRAMES))

.PHONY: fuzz
fuzz: setup-test ## every fuzz target for MINUTES=10, as many at a time as there are processors; hours
	@tools/build-preset asan fuzzers
	@tools/fuzz $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: chaos
chaos: setup-test ## processes killed at every point that has one, or stopped, while others go on; many minutes
	@tools/run-tests chaos
	@tools/chaos-table

.PHONY: bench
bench: setup-test ## how fast it is on this machine: the pieces, then the whole beside its floors
	@tools/build-preset release tensorpool_bench tp
	@build/release/bin/tensorpool_bench
	@build/release/bin/tp bench

.PHONY: bench-driver
bench-driver: setup-test ## a driver under 10,000 leases, coming and going, and a large provisioning; 5 GiB of /dev/shm
	@tools/build-preset release tensorpool_driver_bench
	@build/release/bin/tensorpool_driver_bench

.PHONY: conformance
conformance: ## docs/conformance.md out of what the last make test has shown
	@tools/conformance --output docs/conformance.md

.PHONY: install
install: build ## install to PREFIX
	@cmake --install build/release --prefix "$(PREFIX)"

.PHONY: dist
dist: ## the source archive, dist/tensorpool-VERSION.tar.gz
	@tools/make-dist

.PHONY: deps-archive
deps-archive: ## pack what was fetched, for machines without network
	@tools/setup/setup archive "$(DEPS_OUT)"

.PHONY: clean
clean: ## remove what was built
	@rm -rf build

.PHONY: distclean
distclean: clean ## remove the dependencies and archives too
	@rm -rf .deps dist
