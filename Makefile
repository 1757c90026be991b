# SPDX-License-Identifier: Apache-2.0
#
# The front door. `make help` lists what there is; each target is a line of a script or of CMake, with
# which everything can also be done by hand (cmake --preset dev && cmake --build --preset dev).

BUILD ?= build
JOBS ?= $(shell nproc)
export BUILD JOBS

configure = cmake --preset $(1) -B $(BUILD)/$(1) >/dev/null
compile = $(call configure,$(1)) && cmake --build $(BUILD)/$(1) -j $(JOBS)
run_tests = ctest --test-dir $(BUILD)/$(1) --output-on-failure -j2 --no-tests=error

.DEFAULT_GOAL := help
.PHONY: help setup build test release clang check demo demo-kernel bench bench-store bench-large bench-kernel eval-eviction asan tsan coverage \
	lint tidy format freestanding mutants size fault-cost check-programs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Debian packages that are missing (root or sudo)
	@scripts/setup.sh

build: setup ## build with gcc, asserts on: build/dev
	@$(call compile,dev)

test: build ## build, and run all tests of it
	@$(call run_tests,dev)

release: setup ## build as a user wants it: build/release
	@$(call compile,release)

clang: setup ## build with clang: build/clang
	@$(call compile,clang)

check: ## everything that has to hold: all builds, all tests, lint
	@scripts/check.sh

demo: setup ## an unmodified program with a quarter of the memory that it needs
	@$(call configure,release)
	@cmake --build $(BUILD)/release -j $(JOBS) --target zpager --target zpager_preload
	@scripts/demo.sh

demo-kernel: setup ## Lua in user mode on a board with 2 MiB for paging: ARCH=riscv64, arm64, x86_64
	@$(call configure,dev)
	@scripts/demo_kernel.sh $(BUILD)/dev $(or $(ARCH),riscv64)

bench: release ## zpager and its peers on the same work, as ratios: QUICK=1, OPTIONS=of zpager bench
	@QUICK="$(QUICK)" OPTIONS="$(OPTIONS)" scripts/bench.sh $(BUILD)/release/bin/zpager $(BUILD)/bench

eval-eviction: setup ## eviction algorithms against the optimum: TRACES=folder, OPTIONS=of zpager sim
	@$(call configure,release)
	@cmake --build $(BUILD)/release -j $(JOBS) --target zpager >/dev/null
	@TRACES="$(TRACES)" scripts/eval_eviction.sh $(BUILD)/release/bin/zpager $(OPTIONS)

asan: setup ## all host tests under the address and undefined-behaviour sanitizers
	@$(call compile,asan)
	@$(call run_tests,asan)

tsan: setup ## the tests with threads under the thread sanitizer
	@$(call compile,tsan)
	@$(call run_tests,tsan) -L '^threads$$'

coverage: setup ## branch coverage of core/, at least 90 %
	@scripts/coverage.sh

lint: setup ## the rules of the house: scripts/lint.py and clang-tidy
	@scripts/lint.py
	@scripts/tidy.sh

tidy: setup ## clang-tidy alone
	@scripts/tidy.sh

format: setup ## lay out all sources with clang-format
	@scripts/lint.py --list-sources | xargs -r clang-format -i

freestanding: setup ## the portable part for x86_64, arm64, riscv64, without a C library
	@scripts/freestanding.sh

check-programs: release ## whole programs in full size, each store, each mechanism: hours
	@scripts/programs.sh

mutants: setup ## plant known faults in a copy, one at a time; the tests must notice each
	@scripts/mutants.sh

size: setup ## text, data and bss of the parts at -Os, compared with docs/SIZE.txt
	@scripts/size.sh

bench-store: release ## print what the coders and the compressed store cost by themselves
	@$(BUILD)/release/bin/coder_speed
	@$(BUILD)/release/bin/store_speed lz4: 'lz4:size=128M&own=yes'

bench-large: release ## 1 TiB in one mapping, 10^7 touched pages, 10^6 frames: minutes, and 5 GiB of RAM
	@ZPAGER_PAGES=10000000 ZPAGER_FRAMES=1000000 $(BUILD)/release/tests/lib_large

bench-kernel: setup ## instructions of a fault and faults of each algorithm on the boards, and sizes
	@$(call configure,dev)
	@scripts/bench_kernel.sh $(BUILD)/dev $(ARCH)

fault-cost: release ## instructions of a fault for 10^3 to 10^6 frames (valgrind)
	@scripts/fault_cost.sh

clean: ## remove all builds
	@rm -rf $(BUILD)
