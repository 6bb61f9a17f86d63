# The front door: short names over the programs in tools/ and over Meson, which builds.
# "make help" lists them. Every target first installs what it needs (tools/setup).

export PATH := /usr/bin:/bin:/usr/sbin:/sbin:$(PATH)
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo build check check-long bench fuzz format clean setup

help: ## this list
	@echo 'Platen, an open document-capture server. Targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | tr @ '\t' | expand -t 20

demo: ## build, run server and virtual scanner, scan into a PDF, show where it is
	@tools/setup build run
	@tools/build release
	@tools/demo

build: ## build what would be installed, into build/release
	@tools/setup build
	@tools/build release

check: ## all tests; ends with "N passed, 0 failed"
	@tools/setup
	@tools/check

check-long: ## all tests, and those that take long
	@tools/setup
	@tools/check --long

bench: ## measure speed and memory
	@tools/setup build run bench
	@tools/build release
	@tests/bench/run

fuzz: ## feed random bytes to every decoder, a minute each (SECONDS=60)
	@tools/setup build test
	@tools/fuzz $(or $(SECONDS),60)

format: ## lay out the C files with clang-format
	@tools/setup test
	@tools/format

setup: ## install the Debian packages that are missing
	@tools/setup

clean: ## remove everything that was built
	rm -rf build
