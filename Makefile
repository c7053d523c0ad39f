# What people and machines do with this repository. `make` alone prints the list.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET := $(or $(CARGO_TARGET_DIR),target)
FUZZ_SECONDS ?= 60
BENCH ?=

# The crates that a request passes through: nothing there may panic.
DATA_PATH := -p menshen-http1 -p menshen-http2 -p menshen-proxy -p menshen-filters
NO_PANICS := -D clippy::unwrap_used -D clippy::expect_used -D clippy::panic -D clippy::indexing_slicing

.PHONY: help setup build optimised demo test bench lint fuzz docs

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building, testing and linting need (Debian, Ubuntu)
	@.ci/setup

build: ## the gateway, optimised: target/release/menshen
	cargo build --release -p menshen

optimised: ## the same, built with a profile of the benchmark's loads; some twenty minutes
	bench/setup
	bench/optimise

demo: ## build and run the gateway with two small services behind it
	cargo build --release -p menshen -p menshen-demo
	@exec $(TARGET)/release/demo

test: ## all tests, with those in the documentation
	cargo test --workspace

lint: ## formatting, clippy, dependency rules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy $(DATA_PATH) --lib --no-deps -- -D warnings $(NO_PANICS)
	cargo test --quiet -p menshen --test architecture
	@.ci/deny

bench: ## measure against nginx, HAProxy, Envoy and Caddy; BENCH='--case small-64' for less
	bench/setup
	bench/run $(BENCH)

fuzz: ## every fuzz target for FUZZ_SECONDS (60) each
	@.ci/fuzz $(FUZZ_SECONDS)

docs: ## write the generated parts of docs/ anew
	BLESS=1 cargo test --quiet -p menshen --test docs
